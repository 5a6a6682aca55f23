"""PyTorch face networks to compare with, written from the description of arcface_torch, with its names."""

from torch import nn


class ImprovedBlock(nn.Module):
    """Norm, 3x3, norm, slope, 3x3 with the stride, norm; the shortcut is a strided 1x1 where the size changes."""

    def __init__(self, inputs, filters, stride):
        super().__init__()
        self.bn1 = nn.BatchNorm2d(inputs)
        self.conv1 = nn.Conv2d(inputs, filters, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(filters)
        self.prelu = nn.PReLU(filters)
        self.conv2 = nn.Conv2d(filters, filters, 3, stride, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(filters)
        if stride > 1:
            shortcut = nn.Conv2d(inputs, filters, 1, stride, bias=False)
            self.downsample = nn.Sequential(shortcut, nn.BatchNorm2d(filters))

    def forward(self, x):
        shortcut = self.downsample(x) if hasattr(self, "downsample") else x
        x = self.prelu(self.bn2(self.conv1(self.bn1(x))))
        return self.bn3(self.conv2(x)) + shortcut


class ImprovedResNet(nn.Module):
    """Deng et al., 2018; `side` is that of the last maps."""

    def __init__(self, depths, side=7, dimension=512):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.prelu = nn.PReLU(64)
        before = 64
        for stage, depth in enumerate(depths, start=1):
            places = []
            for index in range(depth):
                places.append(ImprovedBlock(before, 32 * 2**stage, 1 if index else 2))
                before = 32 * 2**stage
            setattr(self, f"layer{stage}", nn.Sequential(*places))
        self.bn2 = nn.BatchNorm2d(512)
        self.fc = nn.Linear(512 * side * side, dimension)
        self.features = nn.BatchNorm1d(dimension)

    def forward(self, x):
        x = self.prelu(self.bn1(self.conv1(x)))
        x = self.bn2(self.layer4(self.layer3(self.layer2(self.layer1(x)))))
        return self.features(self.fc(x.flatten(1)))


class Layers(nn.Module):
    """Modules one after the other, under the name `layers`; with a shortcut around them where asked."""

    def __init__(self, *modules, shortcut=False):
        super().__init__()
        self.layers, self.shortcut = nn.Sequential(*modules), shortcut

    def forward(self, x):
        return self.layers(x) + x if self.shortcut else self.layers(x)


def convolution(inputs, filters, kernel, *, stride=1, groups=1, padding=None, active=True):
    """Convolution and norm, and a slope where it is active."""
    padding = kernel // 2 if padding is None else padding
    parts = [nn.Conv2d(inputs, filters, kernel, stride, padding, groups=groups, bias=False), nn.BatchNorm2d(filters)]
    return Layers(*parts, *[nn.PReLU(filters)] * active)


def narrowing(inputs, filters, expanded, *, stride=1):
    """Expansion, 3x3 of each channel, projection."""
    return Layers(
        convolution(inputs, expanded, 1),
        convolution(expanded, expanded, 3, stride=stride, groups=expanded),
        convolution(expanded, filters, 1, active=False),
        shortcut=stride == 1,
    )


class MobileFaceNet(nn.Module):
    """Chen et al., 2018, with `scale` times the channels between blocks."""

    def __init__(self, blocks, scale, side=7, dimension=512):
        super().__init__()
        narrow, wide = 64 * scale, 128 * scale
        second = convolution(narrow, narrow, 3, groups=64)
        if blocks[0] > 1:
            second = Layers(*[narrowing(narrow, narrow, 128) for _ in range(blocks[0])])
        self.layers = nn.ModuleList([convolution(3, narrow, 3, stride=2), second])
        stages = ((narrow, narrow, 128, 128), (narrow, wide, 256, 256), (wide, wide, 512, 256))
        for count, (inputs, filters, halving, expanded) in zip(blocks[1:], stages):
            self.layers.append(narrowing(inputs, filters, halving, stride=2))
            self.layers.append(Layers(*[narrowing(filters, filters, expanded) for _ in range(count)]))
        self.conv_sep = convolution(wide, 512, 1)
        whole = convolution(512, 512, side, groups=512, padding=0, active=False)
        last = nn.Linear(512, dimension, bias=False)
        self.features = Layers(whole, nn.Flatten(), last, nn.BatchNorm1d(dimension))

    def forward(self, x):
        for module in self.layers:
            x = module(x)
        return self.features(self.conv_sep(x))
