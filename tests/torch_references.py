"""PyTorch models to compare with: libraries where they can be imported, small definitions where there is none."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional


def torchvision():
    """torchvision, also where its compiled operators are missing: the classifiers use none of them."""
    library = torch.library.Library("torchvision", "FRAGMENT")
    for name in ("nms", "qnms"):
        try:
            getattr(torch.ops.torchvision, name)
        except AttributeError:
            library.define(f"{name}(Tensor boxes, Tensor scores, float threshold) -> Tensor")
    import torchvision.models

    torchvision.kerazoo_library = library  # The operators live as long as this object.
    return torchvision


class CifarBlock(nn.Module):
    """Two 3x3 convolutions; option A: every second pixel, filters // 4 zero channels on either side."""

    def __init__(self, inputs, filters, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, filters, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(filters)
        self.conv2 = nn.Conv2d(filters, filters, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(filters)
        self.side = filters // 4 if stride > 1 else 0

    def forward(self, x):
        shortcut = functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.side, self.side)) if self.side else x
        x = functional.relu(self.bn1(self.conv1(x)))
        return functional.relu(self.bn2(self.conv2(x)) + shortcut)


class CifarResNet(nn.Module):
    """He et al., 2015, section 4.2, with akamaster's names."""

    def __init__(self, depth, classes=10):
        super().__init__()
        blocks = (depth - 2) // 6
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        before = 16
        for stage, filters in enumerate((16, 32, 64), start=1):
            places = []
            for index in range(blocks):
                places.append(CifarBlock(before, filters, 2 if stage > 1 and index == 0 else 1))
                before = filters
            setattr(self, f"layer{stage}", nn.Sequential(*places))
        self.linear = nn.Linear(64, classes)

    def forward(self, x):
        x = functional.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.linear(x.mean((2, 3)))


class WideBlock(nn.Module):
    """Norm, activation, convolution, twice; the first norm and activation are also the 1x1 shortcut's."""

    def __init__(self, inputs, filters, stride):
        super().__init__()
        self.bn1 = nn.BatchNorm2d(inputs)
        self.conv1 = nn.Conv2d(inputs, filters, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(filters)
        self.conv2 = nn.Conv2d(filters, filters, 3, 1, 1, bias=False)
        if inputs != filters:
            self.convShortcut = nn.Conv2d(inputs, filters, 1, stride, bias=False)

    def forward(self, x):
        active = functional.relu(self.bn1(x))
        shortcut = self.convShortcut(active) if hasattr(self, "convShortcut") else x
        return shortcut + self.conv2(functional.relu(self.bn2(self.conv1(active))))


class WideResNet(nn.Module):
    """Zagoruyko and Komodakis, 2016, with xternalz's names."""

    def __init__(self, depth, widen, classes=10):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        before = 16
        for stage, filters in enumerate((16 * widen, 32 * widen, 64 * widen), start=1):
            places = []
            for index in range((depth - 4) // 6):
                places.append(WideBlock(before, filters, 2 if stage > 1 and index == 0 else 1))
                before = filters
            block = nn.Module()
            block.layer = nn.Sequential(*places)
            setattr(self, f"block{stage}", block)
        self.bn1 = nn.BatchNorm2d(before)
        self.fc = nn.Linear(before, classes)

    def forward(self, x):
        x = self.conv1(x)
        for block in (self.block1, self.block2, self.block3):
            x = block.layer(x)
        return self.fc(functional.relu(self.bn1(x)).mean((2, 3)))


class UNet(nn.Module):
    """Ronneberger et al., 2015, figure 1, with any width, depth and padding."""

    def __init__(self, width, depth, channels, classes, padding):
        super().__init__()
        sizes = [width * 2**stage for stage in range(depth + 1)]
        pad = 1 if padding == "same" else 0

        def two(inputs, filters):
            return nn.ModuleList([nn.Conv2d(inputs, filters, 3, 1, pad), nn.Conv2d(filters, filters, 3, 1, pad)])

        self.down = nn.ModuleList(two(before, after) for before, after in zip([channels, *sizes], sizes))
        self.up = nn.ModuleList(two(2 * size, size) for size in sizes[:-1])
        self.enlarge = nn.ModuleList(nn.ConvTranspose2d(2 * size, size, 2, 2) for size in sizes[:-1])
        self.logits = nn.Conv2d(width, classes, 1)

    def forward(self, x):
        skips = []
        for stage, pair in enumerate(self.down):
            x = functional.max_pool2d(x, 2) if stage else x
            for convolution in pair:
                x = functional.relu(convolution(x))
            skips.append(x)
        for pair, enlarge, skip in zip(self.up[::-1], self.enlarge[::-1], skips[-2::-1]):
            x = enlarge(x)
            top, left = ((big - small) // 2 for big, small in zip(skip.shape[2:], x.shape[2:]))
            x = torch.cat([skip[:, :, top : top + x.shape[2], left : left + x.shape[3]], x], dim=1)
            for convolution in pair:
                x = functional.relu(convolution(x))
        return self.logits(x)


def randomized(net):
    """The net in evaluation mode with random vectors too: nothing is left at the zero or one it starts from."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, tensor in net.state_dict().items():
            if not tensor.is_floating_point():
                continue
            if tensor.ndim < 2 or "layer_scale" in name or "pos" in name or "token" in name:
                low = 0.5 if name.endswith(("weight", "gamma", "layer_scale", "running_var")) else -0.25
                tensor.copy_(torch.rand(tensor.shape, generator=generator) * 0.5 + low)
            elif tensor.ndim in (2, 4):  # He's deviation: no layer lets the signal fade, as torch's own start does.
                tensor.copy_(torch.randn(tensor.shape, generator=generator) * (2 / tensor[0].numel()) ** 0.5)
    return net.eval()


def images(count, size):
    """Noise around a colour of each image's own, (B, H, W, 3) in [0, 255]; noise alone all averages to the same."""
    generator = np.random.default_rng(1)
    colours, noise = generator.uniform(0, 255, (count, 1, 1, 3)), generator.uniform(0, 255, (count, size, size, 3))
    return ((colours + noise) / 2).astype("float32")


def logits(net, pixels, mean, deviation):
    """What the net answers to pixels in [0, 255], (B, H, W, 3), normalised on the [0, 1] scale."""
    normalised = (pixels / 255 - np.array(mean, "float32")) / np.array(deviation, "float32")
    with torch.no_grad():
        return net(torch.from_numpy(normalised.astype("float32").transpose(0, 3, 1, 2).copy())).numpy()
