"""CIFAR-100: 60,000 pictures of a hundred kinds of things, 32×32 pixels in colour (A. Krizhevsky, 2009).

Read from the official binary version, `cifar-100/cifar-100-binary`, which is downloaded where it is missing. A picture
has a coarse label, one of 20, and a fine one, which is the class here.
"""

from pathlib import Path

import numpy as np

from bdistil.data import cifar
from bdistil.data.dataset import DatasetInfo

INFO = DatasetInfo(
    name="cifar-100",
    title="CIFAR-100",
    modality="image",
    classes=(
        "Apple",
        "Aquarium fish",
        "Baby",
        "Bear",
        "Beaver",
        "Bed",
        "Bee",
        "Beetle",
        "Bicycle",
        "Bottle",
        "Bowl",
        "Boy",
        "Bridge",
        "Bus",
        "Butterfly",
        "Camel",
        "Can",
        "Castle",
        "Caterpillar",
        "Cattle",
        "Chair",
        "Chimpanzee",
        "Clock",
        "Cloud",
        "Cockroach",
        "Couch",
        "Crab",
        "Crocodile",
        "Cup",
        "Dinosaur",
        "Dolphin",
        "Elephant",
        "Flatfish",
        "Forest",
        "Fox",
        "Girl",
        "Hamster",
        "House",
        "Kangaroo",
        "Keyboard",
        "Lamp",
        "Lawn mower",
        "Leopard",
        "Lion",
        "Lizard",
        "Lobster",
        "Man",
        "Maple tree",
        "Motorcycle",
        "Mountain",
        "Mouse",
        "Mushroom",
        "Oak tree",
        "Orange",
        "Orchid",
        "Otter",
        "Palm tree",
        "Pear",
        "Pickup truck",
        "Pine tree",
        "Plain",
        "Plate",
        "Poppy",
        "Porcupine",
        "Possum",
        "Rabbit",
        "Raccoon",
        "Ray",
        "Road",
        "Rocket",
        "Rose",
        "Sea",
        "Seal",
        "Shark",
        "Shrew",
        "Skunk",
        "Skyscraper",
        "Snail",
        "Snake",
        "Spider",
        "Squirrel",
        "Streetcar",
        "Sunflower",
        "Sweet pepper",
        "Table",
        "Tank",
        "Telephone",
        "Television",
        "Tiger",
        "Tractor",
        "Train",
        "Trout",
        "Tulip",
        "Turtle",
        "Wardrobe",
        "Whale",
        "Willow tree",
        "Wolf",
        "Woman",
        "Worm",
    ),
    input_shape=cifar.SHAPE,
    train=45_000,
    validation=5_000,
    test=10_000,
    split="The official test pictures; 50 official training pictures of each class are held out for validation.",
    licence="none stated",
    source="https://www.cs.toronto.edu/~kriz/cifar.html",
    download_bytes=168_513_733,
    preview=False,
)
_ARCHIVE, _MD5 = "cifar-100-binary.tar.gz", "03b5dce01913d631647c71ecec9e9cb8"
_FOLDER = "cifar-100-binary"
_RECORDS = {"train.bin": 50_000, "test.bin": 10_000}
_KINDS = (20, len(INFO.classes))


def is_here(home: Path) -> bool:
    """Says whether both files are in the data home; their content is checked by `read`."""
    return all((home / INFO.name / _FOLDER / file).exists() for file in _RECORDS)


def fetch(home: Path, progress: bool) -> Path:
    """Downloads and unpacks the archive where a file is missing, and returns the folder of the files."""
    sizes = {file: count * (2 + 3 * 32 * 32) for file, count in _RECORDS.items()}
    return cifar.fetch_files(INFO.name, home, _ARCHIVE, _MD5, _FOLDER, sizes, progress)


def read(home: Path) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Returns (x uint8 (N, 3, 32, 32), y int64 (N,)) of each split."""
    return read_files(home / INFO.name / _FOLDER, _RECORDS)


def read_files(folder: Path, records: dict[str, int]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """As `read`, of files that hold so many records, by name: the training file, then the test file."""
    (x, y), (x_test, y_test) = (cifar.read_records(folder / file, count, _KINDS) for file, count in records.items())
    return cifar.split(x, y[:, 1], x_test, y_test[:, 1], len(INFO.classes), INFO.title)
