"""Make Tests/Fixtures/Images: small pictures of every kind that is read, and what Pillow makes of them.

    pip install -r Tools/Fixtures/requirements.txt
    python Tools/Fixtures/make_image_fixtures.py

`expected.npz` holds for each file NAME: `NAME/decoded`, uint8 [3, H, W], as Pillow's `convert("RGB")` gives it (of 16-bit grey the
upper 8 bits: Pillow itself makes everything above 255 white); `NAME/small`, after Resize(20) and CenterCrop(16);
`NAME/cubic`, after Resize((24, 18), bicubic) alone; `NAME/border`, after Resize(12) and CenterCrop((14, 30)).
"""

import argparse
import io
import pathlib
import struct
import zlib

import numpy as np
from PIL import Image

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "Tests" / "Fixtures" / "Images"


def resize(image: Image.Image, size, method=Image.Resampling.BILINEAR) -> Image.Image:
    """As torchvision.transforms.functional.resize calls Pillow: an int is the shorter side, the longer one is cut off."""
    if isinstance(size, int):
        width, height = image.size
        short, long = min(width, height), max(width, height)
        other = int(size * long / short)
        size = (other, size) if width <= height else (size, other)
    return image.resize(size[::-1], method)


def center_crop(image: Image.Image, size) -> Image.Image:
    """As torchvision.transforms.functional.center_crop: black borders where the image is smaller."""
    height, width = (size, size) if isinstance(size, int) else size
    own_width, own_height = image.size
    if width > own_width or height > own_height:
        left, top = max(0, (width - own_width) // 2), max(0, (height - own_height) // 2)
        padded = Image.new("RGB", (max(width, own_width), max(height, own_height)))
        padded.paste(image, (left, top))
        image, (own_width, own_height) = padded, padded.size
    top, left = int(round((own_height - height) / 2.0)), int(round((own_width - width) / 2.0))
    return image.crop((left, top, left + width, top + height))


def load(path: pathlib.Path) -> Image.Image:
    """As torchvision.datasets.folder.pil_loader, but for 16-bit grey."""
    image = Image.open(path)
    if image.mode == "I;16":
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
    return image.convert("RGB")


def channels_first(image: Image.Image) -> np.ndarray:
    return np.ascontiguousarray(np.asarray(image).transpose(2, 0, 1))


def picture(random: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Waves and edges: something that resizing and JPEG can go wrong on. uint8 [H, W, 3]."""
    y, x = np.mgrid[0:height, 0:width] / 8
    channels = []
    for _ in range(3):
        a, b, c = random.uniform(0.2, 1.5, 3)
        channels.append(127 + 90 * np.sin(a * x + b * y + c) + 60 * ((x * a).astype(int) % 2 - 0.5))
    return np.clip(np.stack(channels, -1) + random.normal(0, 4, (height, width, 3)), 0, 255).astype(np.uint8)


def png(pixels: np.ndarray, depth: int, color: int, interlaced: bool = False) -> bytes:
    """A PNG file of 8 or 16 bits, in kinds that Pillow does not write. pixels: [H, W] or [H, W, C]."""
    pixels = pixels.astype(">u2" if depth == 16 else "u1")
    steps = [(0, 8, 0, 8), (0, 8, 4, 8), (4, 8, 0, 4), (0, 4, 2, 4), (2, 4, 0, 2), (0, 2, 1, 2), (1, 2, 0, 1)] if interlaced else [(0, 1, 0, 1)]
    rows = b""
    for top, down, left, right in steps:
        part = pixels[top::down, left::right]
        if part.size:
            rows += b"".join(b"\0" + row.tobytes() for row in part)
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", pixels.shape[1], pixels.shape[0], depth, color, 0, 0, int(interlaced)))]
    chunks += [(b"IDAT", zlib.compress(rows, 9)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


def saved(image: Image.Image, kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def files() -> dict:
    random = np.random.default_rng(5)
    color = picture(random, 37, 50)
    wide = color.astype(np.uint16) * 256 + random.integers(0, 256, color.shape)
    alpha = np.dstack([color, random.integers(0, 256, color.shape[:2], dtype=np.uint8)])
    image = Image.fromarray(color)
    grey = image.convert("L")
    palette = image.convert("P", palette=Image.Palette.ADAPTIVE, colors=16)
    cmyk = saved(image.convert("CMYK"), "JPEG", quality=90)
    orientation = Image.Exif()
    orientation[0x0112] = 6
    # The byte behind Adobe's flags says whether the four channels are CMYK or YCCK.
    place = cmyk.index(b"Adobe") + 11
    return {
        "baseline.jpg": saved(image, "JPEG", quality=90), "progressive.jpeg": saved(image, "JPEG", quality=85, progressive=True),
        "full_chroma.JPG": saved(image, "JPEG", quality=95, subsampling=0), "grey.jpg": saved(grey, "JPEG"), "cmyk.jpg": cmyk,
        "ycck.jpg": cmyk[:place] + b"\2" + cmyk[place + 1 :], "orientation.jpg": saved(image, "JPEG", exif=orientation),
        "tall.jpg": saved(Image.fromarray(picture(random, 61, 23)), "JPEG"), "tiny.jpg": saved(Image.fromarray(picture(random, 7, 5)), "JPEG"),
        "rgb.png": saved(image, "PNG"), "grey.png": saved(grey, "PNG"), "bits1.png": saved(image.convert("1"), "PNG"),
        "palette.png": saved(palette, "PNG"), "palette_bits4.png": saved(palette, "PNG", bits=4),
        "palette_transparent.png": saved(palette, "PNG", transparency=bytes(range(0, 256, 16))),
        "rgb_transparent.png": saved(image, "PNG", transparency=tuple(int(value) for value in color[0, 0])),
        "grey_alpha.png": saved(Image.fromarray(alpha).convert("LA"), "PNG"), "rgba.png": saved(Image.fromarray(alpha), "PNG"),
        "rgb16.png": png(wide, 16, 2), "grey16.png": png(wide[..., 0], 16, 0), "interlaced.png": png(color, 8, 2, interlaced=True),
    }  # fmt: skip


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    FOLDER.mkdir(parents=True, exist_ok=True)
    expected = {}
    for name, data in files().items():
        (FOLDER / name).write_bytes(data)
        image = load(FOLDER / name)
        expected |= {
            f"{name}/decoded": image, f"{name}/small": center_crop(resize(image, 20), 16),
            f"{name}/cubic": resize(image, (24, 18), Image.Resampling.BICUBIC), f"{name}/border": center_crop(resize(image, 12), (14, 30)),
        }  # fmt: skip
    np.savez_compressed(FOLDER / "expected.npz", **{name: channels_first(image) for name, image in expected.items()})


if __name__ == "__main__":
    main()
