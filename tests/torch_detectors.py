"""YOLOv8 in PyTorch after its public descriptions, with the names of the public checkpoints, to compare with."""

import math

import torch
from torch import nn
from torch.nn import functional


class Unit(nn.Module):
    """Convolution, norm, SiLU."""

    def __init__(self, inputs, filters, kernel=1, stride=1):
        super().__init__()
        self.conv = nn.Conv2d(inputs, filters, kernel, stride, kernel // 2, bias=False)
        self.bn = nn.BatchNorm2d(filters, eps=1e-3, momentum=0.03)

    def forward(self, x):
        return functional.silu(self.bn(self.conv(x)))


class Stage(nn.Module):
    """Half of the channels go through bottlenecks; all that came by is joined."""

    def __init__(self, inputs, filters, depth, shortcut):
        super().__init__()
        half = filters // 2
        self.cv1, self.cv2 = Unit(inputs, filters), Unit((2 + depth) * half, filters)
        blocks = [{"cv1": Unit(half, half, 3), "cv2": Unit(half, half, 3)} for _ in range(depth)]
        self.m = nn.ModuleList(nn.ModuleDict(block) for block in blocks)
        self.shortcut = shortcut

    def forward(self, x):
        found = list(self.cv1(x).chunk(2, 1))
        for block in self.m:
            x = block["cv2"](block["cv1"](found[-1]))
            found.append(found[-1] + x if self.shortcut else x)
        return self.cv2(torch.cat(found, 1))


class Pool(nn.Module):
    """The largest values within 2, 4 and 6 cells."""

    def __init__(self, filters):
        super().__init__()
        self.cv1, self.cv2 = Unit(filters, filters // 2), Unit(2 * filters, filters)

    def forward(self, x):
        found = [self.cv1(x)]
        for _ in range(3):
            found.append(functional.max_pool2d(found[-1], 5, 1, 2))
        return self.cv2(torch.cat(found, 1))


class Yolo(nn.Module):
    """Stem, four stages, pool, the way up, the way down, heads: modules 0 to 22, of which some hold nothing."""

    def __init__(self, depth, width, widest, classes, bins=16):
        super().__init__()
        a, b, c, d = (math.ceil(min(size, widest) * width / 8) * 8 for size in (128, 256, 512, 1024))
        few, many = max(1, round(3 * depth)), max(1, round(6 * depth))
        nothing = nn.Identity
        self.model = nn.ModuleList(
            [Unit(3, a // 2, 3, 2), Unit(a // 2, a, 3, 2), Stage(a, a, few, True), Unit(a, b, 3, 2)]
            + [Stage(b, b, many, True), Unit(b, c, 3, 2), Stage(c, c, many, True), Unit(c, d, 3, 2)]
            + [Stage(d, d, few, True), Pool(d), nothing(), nothing(), Stage(c + d, c, few, False), nothing(), nothing()]
            + [Stage(b + c, b, few, False), Unit(b, b, 3, 2), nothing(), Stage(b + c, c, few, False)]
            + [Unit(c, c, 3, 2), nothing(), Stage(c + d, d, few, False)]
        )
        heads = nn.Module()
        for name, hidden, outputs in (("cv2", max(64, b // 4), 4 * bins), ("cv3", max(b, min(classes, 100)), classes)):
            towers = [[Unit(x, hidden, 3), Unit(hidden, hidden, 3), nn.Conv2d(hidden, outputs, 1)] for x in (b, c, d)]
            setattr(heads, name, nn.ModuleList(nn.Sequential(*tower) for tower in towers))
        heads.dfl = nn.Module()
        heads.dfl.conv = nn.Conv2d(bins, 1, 1, bias=False)
        self.model.append(heads)

    def forward(self, x):
        m, kept = self.model, {}
        for index in range(10):
            x = kept[index] = m[index](x)
        larger = lambda x: functional.interpolate(x, scale_factor=2)  # noqa: E731
        middle = m[12](torch.cat([larger(x), kept[6]], 1))
        fine = m[15](torch.cat([larger(middle), kept[4]], 1))
        middle = m[18](torch.cat([m[16](fine), middle], 1))
        coarse = m[21](torch.cat([m[19](middle), x], 1))
        raw = {}
        for name, branch in (("boxes", m[22].cv2), ("classes", m[22].cv3)):
            maps = [tower(x).flatten(2) for tower, x in zip(branch, (fine, middle, coarse))]
            raw[name] = torch.cat(maps, 2).transpose(1, 2)
        return raw
