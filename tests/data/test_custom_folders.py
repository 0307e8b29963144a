"""Folders of class folders: pictures and recordings of every kind, splits, and one sentence for what can't be used."""

import os
import re
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import soundfile
from PIL import Image

from bdistil.data import custom
from bdistil.data.audio import log_mel, read_recording
from bdistil.data.dataset import SPLITS
from bdistil.data.reading import OwnData
from bdistil.errors import UserError


def picture(path, size=(12, 12), mode="RGB", value=0, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(value).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).convert(mode).save(path, **options)


def pictures(root, count=10, classes=("cat", "dog"), **options):
    for place, label in enumerate(classes):
        for number in range(count):
            picture(root / label / f"{number:03}.png", value=1000 * place + number, **options)
    return root


def recording(path, rate=8_000, seconds=0.4, hz=440.0, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, 0.5 * np.sin(2 * np.pi * hz * np.arange(round(rate * seconds)) / rate), rate, **options)


def recordings(root, people=("ann", "bob", "cem", "dan", "eve"), takes=3, **options):
    for label, hz in [("high", 2_000.0), ("low", 300.0)]:
        for place, person in enumerate(people):
            for take in range(takes):
                recording(root / label / f"{person}_{take}.wav", hz=hz + 20 * place + take, **options)
    return root


def refused(path, sentence, **options):
    with pytest.raises(UserError) as caught:
        custom.info(str(path), OwnData.create(**options))
    assert re.fullmatch(sentence, str(caught.value)), caught.value
    assert str(caught.value).count(". ") == 0  # one sentence


def test_pictures_are_split_60_20_20_in_every_class_the_same_way_every_time(tmp_path, own_home, monkeypatch):
    data = custom.load(str(pictures(tmp_path / "pets")))
    for name, count in zip(SPLITS, (6, 2, 2), strict=True):
        assert np.bincount(data.split(name)[1]).tolist() == [count, count]
    everything = {x.tobytes() for name in SPLITS for x in data.split(name)[0]}
    assert len(everything) == 20 and custom.unreadable(str(tmp_path / "pets")) == ()
    assert data.info.classes == ("cat", "dog") and data.info.input_shape == (3, 12, 12) and data.info.title == "pets"
    monkeypatch.setenv("BDISTIL_HOME", str(own_home / "another"))
    assert custom.load(str(tmp_path / "pets")).checksum == data.checksum


def test_an_example_is_its_own_file_with_its_own_label(tmp_path):
    data = custom.load(str(pictures(tmp_path)))
    by_bytes = {
        np.asarray(Image.open(path)).transpose(2, 0, 1).tobytes(): path.parent.name for path in tmp_path.glob("*/*.png")
    }
    for name in SPLITS:
        x, y = data.split(name)
        assert [by_bytes[one.tobytes()] for one in x] == [data.info.classes[label] for label in y]
        for one, file in zip(x, getattr(data, f"files_{name}"), strict=True):
            np.testing.assert_array_equal(one, np.asarray(Image.open(tmp_path / file)).transpose(2, 0, 1))


@pytest.mark.parametrize("names", ["train val", "train valid", "training validation", "Train VAL", "train dev"])
def test_without_test_val_is_the_test_split_and_validation_is_drawn_from_train(tmp_path, names):
    train, val = names.split()
    pictures(tmp_path / train, count=20)
    pictures(tmp_path / val, count=5, mode="L")
    data = custom.load(str(tmp_path))
    assert [len(data.split(name)[0]) for name in SPLITS] == [36, 4, 10]
    assert {file.partition("/")[0] for file in data.files_test} == {val}
    assert np.bincount(data.y_validation).tolist() == [2, 2]
    assert data.info.split == (
        f"As its folders train and {val} say, where {val} is the test split, as there is no "
        "folder test; a tenth of the files is held out of train for validation."
    )


@pytest.mark.parametrize("names", ["train val test", "train valid test", "Training VALID Testing", "Train dev Test"])
def test_folders_above_the_class_folders_are_the_split(tmp_path, names):
    for part, count in zip(names.split(), (5, 3, 2), strict=True):
        pictures(tmp_path / part, count)
    known = custom.info(str(tmp_path))
    assert (known.train, known.validation, known.test) == (10, 6, 4)


def test_a_missing_validation_folder_is_split_off_train_and_said(tmp_path):
    pictures(tmp_path / "train", 20)
    pictures(tmp_path / "test", 4)
    known = custom.info(str(tmp_path))
    assert (known.train, known.validation, known.test) == (36, 4, 8) and "held out of train" in known.split


def test_a_change_is_seen_and_nothing_is_read_twice(tmp_path, monkeypatch):
    pictures(tmp_path)
    first = custom.info(str(tmp_path))
    monkeypatch.setattr(custom.folders, "read_folder", lambda *_: pytest.fail("read again"))
    assert custom.info(str(tmp_path)) == first
    monkeypatch.undo()
    picture(tmp_path / "cat" / "new.png", value=77)
    assert custom.info(str(tmp_path)).train == 13 and custom.info(str(tmp_path)).name != first.name
    assert custom.info(str(tmp_path), OwnData(side=16)).input_shape == (3, 16, 16)


def test_a_folder_is_looked_at_every_few_seconds(tmp_path, monkeypatch):
    monkeypatch.setattr(custom, "FRESH", 1e9)
    pictures(tmp_path)
    first = custom.info(str(tmp_path))
    picture(tmp_path / "cat" / "new.png", value=77)
    assert custom.info(str(tmp_path)) == first
    assert custom.load(str(tmp_path)).info.train == 13  # what is trained on is never an old look
    monkeypatch.setattr(custom, "FRESH", 1e-9)
    assert custom.info(str(tmp_path)).train == 13


def test_the_name_fits_into_a_file_name(tmp_path):
    root = pictures(tmp_path / "Meine Bilder (2)")
    assert re.fullmatch(r"meine-bilder-2-[0-9a-f]{8}", custom.info(str(root)).name)


@pytest.mark.parametrize(
    "suffix, options",
    [
        (".jpg", {}),
        (".bmp", {}),
        (".gif", {"mode": "P"}),
        (".webp", {}),
        (".tiff", {}),
        (".jfif", {"format": "JPEG"}),
        (".JPG", {"mode": "CMYK", "format": "JPEG"}),
        (".png", {"mode": "RGBA"}),
        (".png", {"mode": "P"}),
    ],
)
def test_every_common_format_and_mode_is_read_in_colour(tmp_path, suffix, options):
    pictures(tmp_path)
    picture(tmp_path / "cat" / f"other{suffix}", **options)
    known = custom.info(str(tmp_path))
    assert known.train + known.validation + known.test == 21 and known.input_shape[0] == 3


@pytest.mark.parametrize("mode", ["L", "1", "LA", "I;16"])
def test_grey_pictures_have_one_channel(tmp_path, mode):
    pictures(tmp_path, mode="L")
    pixels = (np.arange(144).reshape(12, 12) * 256).astype(np.uint16)
    low = Image.fromarray((pixels // 256).astype(np.uint8))
    (Image.fromarray(pixels) if mode == "I;16" else low.convert(mode)).save(tmp_path / "cat" / "000.png")
    data = custom.load(str(tmp_path))
    assert data.info.input_shape == (1, 12, 12)
    if mode == "I;16":  # not cut at 255, as Pillow would
        every = np.concatenate([data.split(name)[0] for name in SPLITS])
        assert (every == (pixels // 256).astype(np.uint8)).all(axis=(1, 2, 3)).sum() == 1


def test_sizes_that_differ_become_the_usual_one_from_the_middle(tmp_path):
    pictures(tmp_path, size=(20, 16))
    picture(tmp_path / "cat" / "000.png", size=(300, 200))
    assert custom.info(str(tmp_path)).input_shape == (3, 16, 16)
    assert custom.info(str(pictures(tmp_path / "big", size=(90, 100), count=4))).input_shape == (3, 64, 64)


def test_thumbnails_among_photos_do_not_choose_the_side(tmp_path):
    pictures(tmp_path, size=(10, 10), count=3)
    for number in range(20):
        picture(tmp_path / "dog" / f"photo {number}.png", size=(100 + number, 100 + number))
    assert custom.info(str(tmp_path)).input_shape == (3, 64, 64)


def test_a_float_picture_from_0_to_1_is_not_black(tmp_path):
    pictures(tmp_path, mode="L")
    Image.fromarray(np.full((12, 12), 0.5, np.float32)).save(tmp_path / "cat" / "half.tif")
    Image.fromarray(np.full((12, 12), 64.0, np.float32)).save(tmp_path / "cat" / "quarter.tif")
    data = custom.load(str(tmp_path))
    every = np.concatenate([data.split(name)[0] for name in SPLITS])
    assert [(every == value).all(axis=(1, 2, 3)).sum() for value in (127, 64)] == [1, 1]


def test_a_picture_is_turned_upright_and_white_where_it_is_clear(tmp_path):
    turned = np.zeros((12, 12, 3), np.uint8)
    turned[:, :6] = 200
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter
    pictures(tmp_path)
    Image.fromarray(turned).save(tmp_path / "cat" / "000.png", exif=exif)
    Image.new("RGBA", (12, 12), (255, 0, 0, 0)).save(tmp_path / "cat" / "001.png")
    data = custom.load(str(tmp_path))
    every = np.concatenate([data.split(name)[0] for name in SPLITS])
    upright = np.zeros((3, 12, 12), np.uint8)
    upright[:, :6] = 200
    assert (every == upright).all(axis=(1, 2, 3)).sum() == 1 and (every == 255).all(axis=(1, 2, 3)).sum() == 1


def _drawing(mode):
    """A black square on a transparent ground, in a mode that says what is clear in its own way."""
    ink = np.zeros((12, 12), np.uint8)
    ink[3:9, 3:9] = 255
    drawn = Image.merge("LA", (Image.new("L", (12, 12)), Image.fromarray(ink)))
    if mode in ("LA", "RGBA"):
        return drawn.convert(mode), {}
    if mode == "P":
        indices = Image.fromarray((ink // 255).astype(np.uint8))
        drawn = Image.new("P", (12, 12))
        drawn.putpalette([7, 7, 7, 0, 0, 0])
        drawn.paste(indices)
        return drawn, {"transparency": 0}
    grey = Image.fromarray(np.where(ink, 0, 7).astype(np.uint8)).convert(mode)
    return grey, {"transparency": 7 if mode == "L" else (7, 7, 7)}


@pytest.mark.parametrize(
    "mode, suffix",
    [("RGBA", ".png"), ("LA", ".png"), ("P", ".png"), ("L", ".png"), ("RGB", ".png"), ("RGBA", ".webp"), ("P", ".gif")],
)
def test_drawings_on_a_transparent_ground_are_read_on_white(tmp_path, mode, suffix):
    pictures(tmp_path)
    drawn, options = _drawing(mode)
    drawn.save(tmp_path / "cat" / f"drawing{suffix}", **options, **({"lossless": True} if suffix == ".webp" else {}))
    data = custom.load(str(tmp_path))
    every = {
        str(name): x
        for split in SPLITS
        for name, x in zip(getattr(data, f"files_{split}"), data.split(split)[0], strict=True)
    }
    expected = np.full((3, 12, 12), 255, np.uint8)
    expected[:, 3:9, 3:9] = 0
    np.testing.assert_array_equal(every[f"cat/drawing{suffix}"], expected)
    assert custom.unreadable(str(tmp_path)) == ()


@pytest.mark.parametrize("suffix", [".gif", ".png", ".tif", ".webp"])
def test_of_moving_pictures_the_first_one_is_read(tmp_path, suffix):
    pictures(tmp_path)
    first, *others = (Image.fromarray(np.full((12, 12, 3), grey, np.uint8)) for grey in (40, 140, 240))
    lossless = {"lossless": True} if suffix == ".webp" else {}
    first.save(tmp_path / "cat" / f"moving{suffix}", save_all=True, append_images=others, **lossless)
    data = custom.load(str(tmp_path))
    every = np.concatenate([data.split(name)[0] for name in SPLITS])
    assert len(every) == 21 and (every == 40).all(axis=(1, 2, 3)).sum() == 1


def test_names_that_differ_in_case_are_files_of_their_own(tmp_path):
    pictures(tmp_path)
    for value, name in enumerate(("Cat.png", "cat.png", "cat.PNG", "CAT.Png")):
        picture(tmp_path / "cat" / name, value=5000 + value)
    data = custom.load(str(tmp_path))
    assert sum(len(data.split(name)[0]) for name in SPLITS) == 24 and custom.unreadable(str(tmp_path)) == ()


def test_pictures_outside_of_the_class_folders_are_counted_and_named(tmp_path):
    for part in ("train", "test"):
        pictures(tmp_path / part, mode="L" if part == "test" else "RGB")
    picture(tmp_path / "cover.jpg")
    picture(tmp_path / "test" / "stray.png")
    (tmp_path / "labels.csv").write_text("file,label")
    assert custom.unreadable(str(tmp_path)) == ("Left out, as outside of class folders: 2 files, such as cover.jpg.",)


def test_pictures_of_one_colour_are_counted_and_named(tmp_path):
    pictures(tmp_path)
    Image.new("RGB", (12, 12), "red").save(tmp_path / "dog" / "001.png")
    assert custom.notes(str(tmp_path)) == (
        "Notice: 1 of 20 pictures is one colour, such as dog/001.png; transparent parts are read as white.",
    )
    Image.new("LA", (12, 12), (255, 0)).save(tmp_path / "dog" / "000.png")
    Image.new("L", (30, 12), 90).save(tmp_path / "dog" / "003.png")
    assert custom.notes(str(tmp_path)) == (
        "Notice: 3 of 20 pictures are one colour, such as dog/000.png; transparent parts are read as white.",
    )


def _corrupt(path):
    path.write_bytes(path.read_bytes()[:200])


def _one_pixel(path):
    Image.new("RGB", (1, 1)).save(path)


def _bomb(path):
    """A few kilobytes that unpack to 1.2 GB."""
    Image.new("1", (20_000, 20_000)).save(path)


def _bomb_that_pillow_warns_of(path):
    Image.new("1", (10_000, 10_000)).save(path)


def _text(path):
    path.write_text("no picture")


def _link_out(path):
    outside = path.parents[2] / "outside.png"
    picture(outside)
    path.unlink()
    path.symlink_to(outside)


def _broken_link(path):
    path.unlink()
    path.symlink_to("nowhere.png")


def _pipe(path):
    path.unlink()
    os.mkfifo(path)


UNREADABLE = [
    (_corrupt, r"cat/005\.png is no intact picture: save it anew, or move it away\."),
    (_text, r"cat/005\.png is no intact picture: save it anew, or move it away\."),
    (_one_pixel, r"cat/005\.png is 1×1 pixels, too small to show anything: move it away\."),
    (_bomb, r"cat/005\.png has more than 50 million pixels: make it smaller, or move it away\."),
    (_bomb_that_pillow_warns_of, r"cat/005\.png has more than 50 million pixels: make it smaller, or move it away\."),
    (_link_out, r"cat/005\.png is a link out of the folder: put the file itself there, or move it away\."),
    (_broken_link, r"cat/005\.png is no file that could be read: put one there, or move it away\."),
    (_pipe, r"cat/005\.png is no file that could be read: put one there, or move it away\."),
]


@pytest.mark.parametrize("spoil, sentence", UNREADABLE, ids=lambda value: getattr(value, "__name__", ""))
def test_one_unreadable_picture_among_few_is_named(tmp_path, spoil, sentence):
    root = pictures(tmp_path / "pets")
    spoil(root / "cat" / "005.png")
    refused(root, rf"1 file of 20 in .*pets can't be read, more than one in a hundred: {sentence}")


@pytest.mark.parametrize("spoil, sentence", UNREADABLE[:3], ids=lambda value: getattr(value, "__name__", ""))
def test_one_unreadable_picture_among_many_is_skipped_and_counted(tmp_path, spoil, sentence):
    root = pictures(tmp_path / "pets", count=60)
    spoil(root / "cat" / "005.png")
    data, unreadable = custom.load(str(root)), custom.unreadable(str(root))
    assert len(unreadable) == 1 and re.fullmatch(sentence, unreadable[0])
    assert sum(len(data.split(name)[0]) for name in SPLITS) == 119
    assert "1 unreadable file was skipped" in data.info.split


def test_a_class_is_not_lost_with_its_files(tmp_path):
    root = pictures(tmp_path, count=200)
    for number in range(3):
        picture(root / "owl" / f"{number}.png")
        (root / "owl" / f"{number}.png").write_text("no picture")
    refused(root, r"No file of the class owl in .* can be read, for example: owl/2\.png is no intact picture: .*")


def test_a_folder_that_may_not_be_read_is_named(tmp_path, monkeypatch):
    def forbidden(folder):
        if os.path.basename(folder) == "cat":
            raise PermissionError(13, "Permission denied", str(folder))
        return scandir(folder)

    scandir = os.scandir
    root = pictures(tmp_path)
    monkeypatch.setattr(custom.folders.os, "scandir", forbidden)
    refused(root, r".*/cat can't be read \(Permission denied\): make it readable\.")


def test_recordings_of_any_rate_are_heard_and_persons_are_held_out_whole(tmp_path):
    root = recordings(tmp_path / "words")
    recording(root / "low" / "ann_9.flac", rate=44_100, hz=300.0)
    data = custom.load(str(root), OwnData(subject_pattern=r"^(\w+)_\d"))
    assert data.info.modality == "speech" and data.info.people == "speaker"
    assert data.info.front_end == "running-maximum" and (data.info.rate_hz, data.info.sampling_hz) == (50, 8_000)
    people = [set(getattr(data, f"people_{name}").tolist()) for name in SPLITS]
    assert sorted(map(len, people)) == [1, 1, 3] and len(set.union(*people)) == 5
    expected = log_mel(read_recording(root / "high" / "ann_0.wav", 8_000), 8_000, 20)
    every = np.concatenate([data.split(name)[0] for name in SPLITS])
    assert data.info.input_shape == (32, 20) and (every == expected).all(axis=(1, 2)).sum() == 1


def test_the_recordings_behind_test_examples_are_in_their_order(tmp_path):
    root = recordings(tmp_path / "words")
    x, paths = custom.load(str(root)).x_test, custom.recordings(str(root))
    for one, path in zip(x, paths, strict=True):
        np.testing.assert_array_equal(one, log_mel(read_recording(path, 8_000), 8_000, 20))
    assert custom.recordings(str(pictures(tmp_path / "pets"))) == []


def test_recordings_are_as_long_as_nearly_all_and_at_their_own_rate_up_to_16_khz(tmp_path):
    root = recordings(tmp_path, rate=22_050)
    recording(root / "low" / "long.wav", rate=22_050, seconds=3)
    assert custom.info(str(root)).input_shape == (32, 20) and custom.info(str(root)).sampling_hz == 16_000
    assert custom.info(str(recordings(tmp_path / "long", seconds=6.0, takes=1))).input_shape == (32, 250)


def test_a_person_on_both_sides_of_given_folders_is_nobody_held_out(tmp_path):
    for part in ("train", "val", "test"):
        recordings(tmp_path / part, takes=1)
    data = custom.load(str(tmp_path), OwnData(subject_pattern=r"^([a-z]+)"))
    assert data.info.people is None and len(set(data.people_test.tolist())) == 5


def test_one_unreadable_recording_among_many_is_skipped_and_counted(tmp_path):
    root = recordings(tmp_path, people=[f"p{number}" for number in range(60)], takes=1, seconds=0.05)
    (root / "low" / "p5_0.wav").write_text("no sound")
    data, unreadable = custom.load(str(root)), custom.unreadable(str(root))
    assert unreadable == ("low/p5_0.wav is no intact WAV or FLAC recording: save it anew as one, or move it away.",)
    assert sum(len(data.split(name)[0]) for name in SPLITS) == 119


def test_an_unreadable_recording_among_few_is_named(tmp_path):
    root = recordings(tmp_path / "words")
    soundfile.write(root / "low" / "ann_0.wav", np.zeros(0), 8_000)
    refused(root, r"1 file of 30 in .* can't be read, more than one in a hundred: low/ann_0\.wav holds no samples: .*")


def _empty_class(root):
    (root / "owl").mkdir()


def _one_item(root):
    picture(root / "owl" / "1.png")


def _case(root):
    pictures(root, classes=("Cat",))


def _one_class(root):
    for path in (root / "dog").iterdir():
        path.unlink()
    (root / "dog").rmdir()


def _both_kinds(root):
    recording(root / "dog" / "bark.wav")


def _linked_class(root):
    (root / "owl").symlink_to(root / "cat")


def _stray_part(root):
    pictures(root / "train")


def _train_alone(root):
    pictures(root / "train")
    for label in ("cat", "dog"):
        (root / label).rename(root / "train" / f"{label}s")


def _strange_class(root):
    _train_alone(root)
    pictures(root / "test", classes=("cat", "dog", "cow"))


def _other_case(root):
    _train_alone(root)
    pictures(root / "Test", classes=("Cats", "dogs"))


def _test_alone(root):
    pictures(root / "Test")


def _split_as_class(root):
    pictures(root, classes=("Test",))


def _only_leftovers(root):
    picture(root / "owl" / "._1.png")
    picture(root / "owl" / "@eaDir" / "1.png")
    (root / "owl" / "Thumbs.db").write_bytes(b"x")


def _wrapped(root):
    """As an archive is unpacked whose only folder is called like itself."""
    for label in ("cat", "dog"):
        (root / "pets").mkdir(exist_ok=True)
        (root / label).rename(root / "pets" / label)
    (root / "__MACOSX").mkdir()


def _no_classes(root):
    for label, name in (("cat", "train"), ("dog", "test")):
        (root / label).rename(root / name)


def _two_names(root):
    _strange_class(root)
    pictures(root / "Testing")


def _no_class_in_test(root):
    _train_alone(root)
    picture(root / "test" / "cat.png")


def _other_kind(root):
    _empty_class(root)
    (root / "owl" / "hoot.mp3").write_bytes(b"x")


def _not_utf_8(root):
    pictures(root, classes=(os.fsdecode(b"caf\xe9"),))


@pytest.mark.parametrize(
    "spoil, sentence",
    [
        (_other_case, r".*pets has the class folders cats in train and Cats in Test, which differ in .*\."),
        (_test_alone, r".*pets has the folder Test, named like a split, and no folder train of class folders: .*\."),
        (_no_classes, r".*pets has the folder test, named like a split, and no folder train of class folders: .*\."),
        (
            _split_as_class,
            r".*pets has the folder Test, named like a split, and no folder train of class folders: "
            r"rename Test if it is a class, or put the class folders to train on into a folder train\.",
        ),
        (_two_names, r".*pets has two folders for test, Testing and test: put their files into one\."),
        (_no_class_in_test, r".*pets/test holds no class folders: add those of train, or give .*pets/train as .*\."),
        (
            _other_kind,
            r"The class folder owl of .* move it away, for owl/hoot\.mp3 is of a kind that is not read: .*\.",
        ),
        (_not_utf_8, r"The class folder caf\? of .*pets has a name that is not UTF-8: rename it\."),
        (_empty_class, r"The class folder owl of .*pets holds no picture and no recording: fill it or move it away\."),
        (
            _only_leftovers,
            r"The class folder owl of .*pets holds no picture and no recording: fill it or move it away\.",
        ),
        (
            _wrapped,
            r".*pets needs 2 class folders and has 1, pets: give .*pets/pets as the data if the folders in it are "
            r"the classes\.",
        ),
        (_one_item, r"The class owl of .*pets needs 3 files to hold some out, and has 1: add more\."),
        (_case, r"The class folders Cat and cat of .*pets differ only in case: rename one\."),
        (_one_class, r".*pets needs 2 class folders with pictures or recordings, and has 1: add more\."),
        (_both_kinds, r".*pets holds both pictures and recordings: choose a kind with `kind`, such as png\."),
        (_linked_class, r".*pets/owl is a link to a folder, which is not followed: put the folder itself there\."),
        (_stray_part, r".*pets has the folder cat beside train, where only val and test may be: move it\."),
        (
            _train_alone,
            r".*pets has no folder test or val beside train: add one, or give .*pets/train as the data to "
            r"have it split\.",
        ),
        (_strange_class, r"The class folder test/cow of .*pets is not in train: add it there\."),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_folders_that_are_no_class_folders_are_refused_in_one_sentence(tmp_path, spoil, sentence):
    root = pictures(tmp_path / "pets")
    spoil(root)
    refused(root, sentence)


@pytest.mark.parametrize(
    "options, sentence",
    [
        (dict(subject_pattern="("), r"The subject pattern \( is no regular expression \(.*\): correct it\."),
        (dict(subject_pattern="a"), r"The subject pattern a has no group: put the part .* the person in \( \)\."),
        (dict(subject_pattern="^([^d]+)_"), r"The subject pattern \S+ finds no person in dan_0\.wav: .*\."),
        (dict(side=32), r".* holds recordings, which have no side: leave out `side`\."),
        (dict(window=32), r"`window` does not go with this kind of data: leave it out\."),
        (dict(kind="exe"), r"`kind` must be an ending of pictures or recordings, such as .* or wav; got “exe”\."),
        (dict(kind="flac"), r"The class folder high of .* holds no file of the kind flac: add some, or choose .*\."),
        (dict(side=2), r"`side` must be a whole number of pixels from 4 to 512; got “2”\."),
    ],
)
def test_options_that_do_not_fit_are_refused_in_one_sentence(tmp_path, options, sentence):
    refused(recordings(tmp_path, takes=1), sentence, **options)


LONG = "\x1b[31m" + "very long " * 15 + "\n"  # a name that would fill a terminal, and colour it


def _long_empty_class(root):
    (root / LONG).mkdir()


def _long_and_one_item(root):
    picture(root / LONG / "1.png")


def _long_and_damaged(root):
    picture(root / "cat" / f"{LONG}.png")
    (root / "cat" / f"{LONG}.png").write_text("no picture")


def _long_class_damaged(root):
    for number in range(200):
        picture(root / "cat" / f"more {number}.png")
    picture(root / LONG / "1.png")
    (root / LONG / "1.png").write_text("no picture")


def _long_and_other_kind(root):
    (root / LONG).mkdir()
    (root / LONG / f"{LONG}.mp3").write_bytes(b"x")


def _long_link(root):
    (root / LONG).symlink_to(root / "cat")


def _long_beside_train(root):
    _train_alone(root)
    (root / LONG).mkdir()


def _long_in_test(root):
    _train_alone(root)
    pictures(root / "test", classes=("cats", "dogs", LONG))


def _long_in_other_case(root):
    pictures(root, classes=(LONG, LONG.upper()))


@pytest.mark.parametrize(
    "spoil",
    [
        _long_empty_class,
        _long_and_one_item,
        _long_and_damaged,
        _long_class_damaged,
        _long_and_other_kind,
        _long_link,
        _long_beside_train,
        _long_in_test,
        _long_in_other_case,
    ],
)
def test_sentences_show_at_most_80_characters_of_a_name_and_no_control_character(tmp_path, spoil):
    root = pictures(tmp_path / LONG)
    spoil(root)
    with pytest.raises(UserError) as caught:
        custom.info(str(root))
    sentence = str(caught.value)
    assert sentence.isprintable() and sentence.count("very long") <= 24 and "…" in sentence  # of three names of 8


def test_a_long_subject_pattern_is_cut_in_a_sentence(tmp_path):
    with pytest.raises(UserError) as caught:
        custom.info(str(recordings(tmp_path, takes=1)), OwnData(subject_pattern=f"({LONG})"))
    assert str(caught.value).isprintable() and str(caught.value).count("very long") <= 8


def test_two_persons_are_too_few_to_hold_some_out(tmp_path):
    root = recordings(tmp_path, people=("ann", "bob"))
    sentence = rf"{re.escape(str(root))} needs 3 persons to hold some out, and has 2: add more\."
    refused(root, sentence, subject_pattern="^([a-z]+)")


def test_files_of_other_kinds_and_linked_folders_are_counted_and_named(tmp_path):
    root = pictures(tmp_path / "pets")
    (root / "cat" / "song.mp3").write_bytes(b"x")
    (root / "dog" / "more").symlink_to(root / "cat")
    assert custom.unreadable(str(root)) == (
        "cat/song.mp3 is of a kind that is not read: save it as another one, or move it away.",
        "dog/more is a link to a folder, which is not followed: put the folder itself there.",
    )
    known = custom.info(str(root))
    assert known.train == 12 and "2 unreadable files were skipped." in known.split
    (root / "dog" / "more").unlink()
    assert len(custom.unreadable(str(root))) == 1


def test_nothing_is_executed_and_hidden_files_and_other_kinds_are_left_alone(tmp_path):
    root = pictures(tmp_path)
    (root / "cat" / ".hidden.png").write_text("no picture")
    (root / "cat" / "notes.txt").write_text("no picture")
    (root / ".git").mkdir()
    assert custom.info(str(root)).train == 12


LEFT_BEHIND = [
    "$RECYCLE.BIN",
    ".DS_Store",
    ".git",
    ".ipynb_checkpoints",
    "@eaDir",
    "Thumbs.db",
    "__MACOSX",
    "desktop.ini",
    "lost+found",
    "._000.png",
    "000.png~",
]


def test_pictures_with_masks_beside_them_are_named_and_one_kind_can_be_chosen(tmp_path):
    root = pictures(tmp_path / "tiles")
    for label, number in [("cat", 0), ("cat", 1), ("dog", 2)]:
        picture(root / label / f"{number:03}.jpg", mode="L")
    picture(root / "cat" / "alone.JPEG")
    (note,) = custom.unreadable(str(root))
    assert note == (
        "Notice: 3 pairs like 000.jpg and 000.png count as two examples each: where one is a mask or a "
        "copy of the other, choose a kind of files with `kind`, such as jpg."
    )
    png, jpg = OwnData(kind=".PNG"), OwnData(kind="jpg")
    assert custom.load(str(root), png).checksum == custom.load(str(pictures(tmp_path / "tiles alone"))).checksum
    assert custom.unreadable(str(root), png) == (
        "Left out, as of another kind than was asked for: 4 files, such as cat/000.jpg.",
    )
    picture(root / "dog" / "more.jpg")
    picture(root / "dog" / "again.jfif", format="JPEG")
    data = custom.load(str(root), jpg)
    files = {str(file) for name in SPLITS for file in getattr(data, f"files_{name}")}
    assert files == {"cat/000.jpg", "cat/001.jpg", "cat/alone.JPEG", "dog/002.jpg", "dog/more.jpg", "dog/again.jfif"}
    assert jpg.arguments() == ["--kind", "jpg"] and png.kind == "png"


def test_one_kind_of_a_folder_of_pictures_and_recordings_can_be_chosen(tmp_path):
    root = pictures(recordings(tmp_path, takes=1), classes=("high", "low"))
    assert custom.info(str(root), OwnData(kind="wav")).modality == "speech"
    assert custom.info(str(root), OwnData(kind="png")).modality == "image"


def test_what_archives_editors_and_systems_leave_behind_is_passed_over_and_counted(tmp_path):
    data = custom.load(str(pictures(tmp_path / "pets")))
    for name in LEFT_BEHIND:
        for folder in (tmp_path / "pets", tmp_path / "pets" / "cat"):
            if name.endswith(("Store", "db", "ini", "png", "~")):
                (folder / name).write_bytes(b"x")
            else:
                picture(folder / name / "cat" / "000.png")
    with_them = custom.load(str(tmp_path / "pets"))
    assert with_them.checksum == data.checksum and with_them.info == data.info
    assert custom.unreadable(str(tmp_path / "pets")) == (
        "Passed over as hidden, or left behind by archives, editors or systems: 22 files and folders, such as "
        "$RECYCLE.BIN.",
    )


def test_what_is_left_behind_beside_train_and_test_is_no_class_and_no_split(tmp_path):
    for part in ("train", "test"):
        pictures(tmp_path / part, mode="L" if part == "test" else "RGB")
        picture(tmp_path / part / "__MACOSX" / "cat" / "._000.png")
    picture(tmp_path / "__MACOSX" / "train" / "cat" / "._000.png")
    assert custom.info(str(tmp_path)).classes == ("cat", "dog")
    assert "3 files and folders, such as __MACOSX." in custom.unreadable(str(tmp_path))[0]


def test_two_readers_at_once_read_the_same(tmp_path):
    root = str(pictures(tmp_path))
    with ThreadPoolExecutor(2) as pool:
        assert len({known.name for known in pool.map(custom.info, [root, root])}) == 1
    assert custom.info(os.path.relpath(root)).name == custom.info(root).name
