"""Fast-SCNN in PyTorch under Tramac's names of tensors, padded and dilated as the paper's tables have it."""

import torch
from torch import nn
from torch.nn import functional

AFFINE = {"align_corners": True, "mode": "bilinear"}


def steps(*parts):
    """[(inputs, outputs, kernel, stride, dilation, groups)] -> convolution, norm and activation of each in turn."""
    modules = []
    for inputs, outputs, kernel, stride, dilation, groups in parts:
        padding = kernel // 2 * dilation
        convolution = nn.Conv2d(inputs, outputs, kernel, stride, padding, dilation, groups, bias=False)
        modules += [convolution, nn.BatchNorm2d(outputs), nn.ReLU()]
    return nn.Sequential(*modules)


class Steps(nn.Module):
    def __init__(self, *parts):
        super().__init__()
        self.conv = steps(*parts)

    def forward(self, x):
        return self.conv(x)


def separable(inputs, outputs, stride=1):
    return Steps((inputs, inputs, 3, stride, 1, inputs), (inputs, outputs, 1, 1, 1, 1))


class Bottleneck(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        inner = 6 * inputs
        widen, depthwise = Steps((inputs, inner, 1, 1, 1, 1)), Steps((inner, inner, 3, stride, 1, inner))
        self.block = nn.Sequential(widen, depthwise, nn.Conv2d(inner, outputs, 1, bias=False), nn.BatchNorm2d(outputs))
        self.adds = stride == 1 and inputs == outputs

    def forward(self, x):
        return self.block(x) + x if self.adds else self.block(x)


class Pyramid(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        for number in range(1, 5):
            setattr(self, f"conv{number}", Steps((inputs, inputs // 4, 1, 1, 1, 1)))
        self.out = Steps((2 * inputs, outputs, 1, 1, 1, 1))

    def forward(self, x):
        parts = [x]
        for number, bins in enumerate((1, 2, 3, 6), start=1):
            mean = getattr(self, f"conv{number}")(functional.adaptive_avg_pool2d(x, bins))
            parts.append(functional.interpolate(mean, x.shape[2:], **AFFINE))
        return self.out(torch.cat(parts, dim=1))


class Branches(nn.Module):
    """A bag of modules, so that their tensors get their first name."""

    def __init__(self, **modules):
        super().__init__()
        for name, module in modules.items():
            setattr(self, name, module)


class FastSCNN(nn.Module):
    def __init__(self, classes):
        super().__init__()
        first = Steps((3, 32, 3, 2, 1, 1))
        self.learning_to_downsample = Branches(conv=first, dsconv1=separable(32, 48, 2), dsconv2=separable(48, 64, 2))
        stages, before = {}, 64
        for number, (filters, stride) in enumerate(((64, 2), (96, 2), (128, 1)), start=1):
            blocks = [Bottleneck(before, filters, stride), Bottleneck(filters, filters, 1)]
            stages[f"bottleneck{number}"] = nn.Sequential(*blocks, Bottleneck(filters, filters, 1))
            before = filters
        self.global_feature_extractor = Branches(**stages, ppm=Pyramid(128, 128))
        self.feature_fusion = Branches(
            dwconv=Steps((128, 128, 3, 1, 4, 128)),
            conv_lower_res=nn.Sequential(nn.Conv2d(128, 128, 1), nn.BatchNorm2d(128)),
            conv_higher_res=nn.Sequential(nn.Conv2d(64, 128, 1), nn.BatchNorm2d(128)),
        )
        self.classifier = Branches(
            dsconv1=separable(128, 128),
            dsconv2=separable(128, 128),
            conv=nn.Sequential(nn.Dropout(0.1), nn.Conv2d(128, classes, 1)),
        )

    def forward(self, x):
        size, stem, context = x.shape[2:], self.learning_to_downsample, self.global_feature_extractor
        details = x = stem.dsconv2(stem.dsconv1(stem.conv(x)))
        for number in (1, 2, 3):
            x = getattr(context, f"bottleneck{number}")(x)
        x = functional.interpolate(context.ppm(x), scale_factor=4, **AFFINE)
        fusion, head = self.feature_fusion, self.classifier
        x = functional.relu(fusion.conv_lower_res(fusion.dwconv(x)) + fusion.conv_higher_res(details))
        return functional.interpolate(head.conv(head.dsconv2(head.dsconv1(x))), size, **AFFINE)
