"""The shapes of a convolution, and how its kernels cut their work."""

from typing import NamedTuple

#: Fewer channels than this are no axis of a product: all elements of a window are, together.
FEWEST_CHANNELS = 16

MOST_CHANNELS = 64

#: Elements of a window that are multiplied at once where channels are few.
ELEMENTS = 32

#: Columns of a product, and of all products of a program whose sums the registers hold.
WIDEST = 128
MOST_COLUMNS = 192

#: The place of a cell's largest pixel where the ReLU has cut it off.
CUT_OFF = 4

#: Cells of a program; 64 were fastest on an H200, where 32 to 256 were tried.
CELLS = 64

#: Blocks of cells that a part of a kernel's gradient is summed over.
BLOCKS = 24

MOST_PARTS = 64


class Form(NamedTuple):
    """Shapes of images and kernel, and whether pooling, bias and ReLU follow."""

    B: int
    H: int
    W: int
    Cin: int
    KH: int
    KW: int
    Cout: int
    is_pooled: bool

    @property
    def num_cells(self) -> int:
        """The number of cells of 2 x 2 pixels of all images."""
        return self.B * (self.H // 2) * (self.W // 2)

    @property
    def is_gathered(self) -> bool:
        """Whether there are too few channels for a product over them."""
        return self.Cin < FEWEST_CHANNELS

    @property
    def num_elements(self) -> int:
        """The number of elements of a window, channels included."""
        return self.KH * self.KW * self.Cin

    @property
    def widths(self) -> tuple[int, ...]:
        """Widths of the spans of pixels side by side that a row of a window is cut into, for the kernel's gradient."""
        widest = max(1, WIDEST // self.Cin)
        if self.KW * self.Cin > MOST_COLUMNS:
            return (widest,) * -(-self.KW // widest)
        widths: list[int] = []
        while (left := self.KW - sum(widths)) > 0:
            widths.append(min(widest, 2 ** (left.bit_length() - 1)))
        return tuple(widths)

    @property
    def num_groups(self) -> int:
        """The number of programs that share a row of the window, by its spans."""
        return len(self.widths) if self.KW * self.Cin > MOST_COLUMNS else 1

    @property
    def margins(self) -> tuple[tuple[int, int], ...]:
        """What images, and cotangents that are not pooled, are padded by, for [B, H, W, C]."""
        spare = 0 if self.is_gathered else sum(self.widths) - self.KW
        return (0, 0), (self.KH // 2,) * 2, (self.KW // 2, self.KW // 2 + spare), (0, 0)

    @property
    def cell_margins(self) -> tuple[tuple[int, int], ...]:
        """What cotangents are padded by that are pooled, for [B, H/2, W/2, C]."""
        return (0, 0), ((self.KH // 2 + 1) // 2,) * 2, ((self.KW // 2 + 1) // 2,) * 2, (0, 0)

    @property
    def num_blocks(self) -> int:
        """The number of blocks of cells."""
        return -(-self.num_cells // CELLS)

    @property
    def num_parts(self) -> int:
        """The number of parts that the sum of a kernel's gradient is cut into."""
        return min(MOST_PARTS, -(-self.num_blocks // BLOCKS))


def applies(images_shape: tuple[int, ...], kernel_shape: tuple[int, ...]) -> bool:
    """Return whether the kernels are made for images [B, H, W, Cin] and a kernel [KH, KW, Cin, Cout]."""
    _, H, W, _ = images_shape
    KH, KW, Cin, Cout = kernel_shape

    def is_product_axis(size: int) -> bool:
        return FEWEST_CHANNELS <= size <= MOST_CHANNELS and size & (size - 1) == 0

    has_inputs = is_product_axis(Cin) or (Cin < FEWEST_CHANNELS and KH * KW * Cin <= 4 * ELEMENTS)
    return not (H % 2 or W % 2) and KH % 2 == KW % 2 == 1 and has_inputs and is_product_axis(Cout)
