"""Speech Commands, on a small tree of the official layout: three label sets, speakers on one side, silence of noise."""

import hashlib
import io
import tarfile

import numpy as np
import pytest
import soundfile

from bdistil.data import data_home, fetch, info, is_here, load_dataset, recordings, speech_commands
from bdistil.data.audio import log_mel, read_recording
from bdistil.data.dataset import SPLITS
from bdistil.data.leaks import leaks
from bdistil.data.speech_commands import COMMANDS, WORDS
from bdistil.errors import UserError

SPEAKERS = [f"{number:08x}" for number in range(0xABC0, 0xABC8)]
SIDES = {"validation": SPEAKERS[5:6], "test": SPEAKERS[6:]}
NAMES = ["speech-commands", "speech-commands-13", "speech-commands-35"]


def tree(folder):
    """Every word, said twice by each of eight speakers as a tone of its own and noise; two recordings of noise."""
    generator = np.random.default_rng(0)
    clock = np.arange(16_000) / 16_000
    for place, word in enumerate(WORDS):
        (folder / word).mkdir(parents=True)
        for speaker in SPEAKERS:
            for take in range(2):
                sound = 0.3 * np.sin(2 * np.pi * 100 * (place + 2) * clock) + generator.normal(0, 0.01, 16_000)
                soundfile.write(folder / word / f"{speaker}_nohash_{take}.wav", sound[: 16_000 - 900 * take], 16_000)
    (folder / "_background_noise_").mkdir()
    for name in ("doing_the_dishes", "white_noise"):
        soundfile.write(folder / "_background_noise_" / f"{name}.wav", generator.normal(0, 0.1, 16_000 * 20), 16_000)
    for side, file in [("validation", "validation_list.txt"), ("test", "testing_list.txt")]:
        listed = [f"{word}/{who}_nohash_{take}.wav" for word in WORDS for who in SIDES[side] for take in range(2)]
        (folder / file).write_text("\n".join(listed) + "\n")
    return folder


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A data home with the small tree, and a home for its features."""
    home = tmp_path_factory.mktemp("data")
    tree(home / "SpeechCommands" / "speech_commands_v0.02")
    return home, tmp_path_factory.mktemp("home")


@pytest.fixture
def folder(made, monkeypatch, own_home):
    monkeypatch.setenv("BDISTIL_DATA", str(made[0]))
    monkeypatch.setenv("BDISTIL_HOME", str(made[1]))
    monkeypatch.setattr(speech_commands, "RECORDINGS", len(WORDS) * len(SPEAKERS) * 2)
    return data_home() / "SpeechCommands" / "speech_commands_v0.02"


@pytest.mark.parametrize("name", NAMES)
def test_speakers_are_held_out_as_the_lists_say(folder, name):
    data = load_dataset(name)
    sizes = {"speech-commands": [120, 24, 48], "speech-commands-13": [350, 70, 140]}
    assert [len(data.split(side)[0]) for side in SPLITS] == sizes.get(name, sizes["speech-commands-13"])
    people = [set(getattr(data, f"people_{side}").tolist()) for side in SPLITS]
    assert sum(map(len, people)) == len(set.union(*people)) and not leaks(data)
    assert data.info.input_shape == (32, 50) == data.x_train.shape[1:] and data.info.people == "speaker"
    for side in SPLITS:
        assert np.bincount(data.split(side)[1], minlength=len(data.info.classes)).min() > 0


@pytest.mark.parametrize("name", NAMES)
def test_the_recordings_behind_test_examples_are_in_their_order(folder, name):
    x, paths = load_dataset(name).x_test, recordings(name)
    assert len(paths) == (44 if name == "speech-commands" else 140)
    for place in range(0, len(paths), 10):
        np.testing.assert_array_equal(x[place], log_mel(read_recording(paths[place], 16_000), 16_000, 50))


def test_35_classes_are_the_words_and_each_recording_has_its_own(folder):
    data = load_dataset("speech-commands-35")
    assert data.info.classes == WORDS == tuple(sorted(WORDS)) and len(WORDS) == 35
    x, y = data.split("validation")
    for word in ("backward", "marvin", "zero"):
        heard = read_recording(folder / word / f"{SPEAKERS[5]}_nohash_0.wav", 16_000)
        assert (x[y == WORDS.index(word)] == log_mel(heard, 16_000, 50)).all(axis=(1, 2)).sum() == 1


def test_13_classes_are_twelve_words_and_the_rest(folder):
    data = load_dataset("speech-commands-13")
    counts = np.bincount(data.y_train)
    assert counts.tolist() == [10] * 12 + [230] and data.info.classes[-1] == "other"


def test_12_classes_have_a_tenth_of_unknown_words_and_of_silence(folder):
    data, words = load_dataset("speech-commands"), load_dataset("speech-commands-35")
    assert data.info.classes == (*COMMANDS, "unknown", "silence")
    assert np.bincount(data.y_train).tolist() == [10] * 10 + [10, 10]
    everything = {x.tobytes(): WORDS[y] for x, y in zip(words.x_train, words.y_train, strict=True)}
    for x, y in zip(data.x_train, data.y_train, strict=True):
        label = data.info.classes[y]
        if label == "silence":
            assert x.tobytes() not in everything
        else:
            word = everything[x.tobytes()]
            assert word == label or (label == "unknown" and word not in COMMANDS)
    silence = data.info.classes.index("silence")
    heard = {x.tobytes() for side in SPLITS for x, y in zip(*data.split(side), strict=True) if y == silence}
    assert len(heard) == 10 + 2 + 4


def test_the_draw_never_changes(folder, own_home, monkeypatch):
    first = load_dataset("speech-commands").checksum
    monkeypatch.setenv("BDISTIL_HOME", str(own_home))
    assert load_dataset("speech-commands").checksum == first


@pytest.fixture
def spoilt(monkeypatch, tmp_path):
    """A small tree to spoil."""
    monkeypatch.setenv("BDISTIL_DATA", str(tmp_path))
    monkeypatch.setattr(speech_commands, "RECORDINGS", len(WORDS) * len(SPEAKERS) * 2)
    return tree(tmp_path / "SpeechCommands" / "speech_commands_v0.02")


def _missing(folder):
    (folder / "cat" / f"{SPEAKERS[0]}_nohash_0.wav").unlink()


def _renamed(folder):
    (folder / "cat" / f"{SPEAKERS[0]}_nohash_0.wav").rename(folder / "cat" / "mine.wav")


def _listed(folder):
    (folder / "testing_list.txt").write_text("cat/../../../etc/passwd\n")


def _no_noise(folder):
    for path in (folder / "_background_noise_").iterdir():
        path.unlink()


@pytest.mark.parametrize(
    "spoil, sentence",
    [
        (_missing, r"^.* has 559 recordings of the 35 words instead of 560: delete it and start again\.$"),
        (_renamed, r"^cat/mine\.wav in .* is no recording of Speech Commands: move it elsewhere\.$"),
        (_listed, r"^.*testing_list\.txt, row 1: there is no recording cat/\.\./.*passwd: unpack the archive anew\.$"),
        (_no_noise, r"^.*_background_noise_ holds no recording of noise: delete .* and start again\.$"),
    ],
)
def test_what_is_not_the_official_data_is_named(spoilt, spoil, sentence, monkeypatch):
    monkeypatch.setattr(speech_commands, "features", lambda paths, *_: np.zeros((len(paths), 32, 50), np.float32))
    spoil(spoilt)
    with pytest.raises(UserError, match=sentence):
        load_dataset("speech-commands")


def test_the_archive_is_downloaded_checked_and_unpacked(server, tmp_path, monkeypatch):
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as packed:
        for name, text in [("./testing_list.txt", b""), ("./validation_list.txt", b""), ("./cat/a.wav", b"sound")]:
            member = tarfile.TarInfo(name)
            member.size = len(text)
            packed.addfile(member, io.BytesIO(text))
    monkeypatch.setenv("BDISTIL_DATA", str(tmp_path))
    monkeypatch.setattr(speech_commands, "URL", server.url)
    monkeypatch.setattr(speech_commands, "MD5", hashlib.md5(content.getvalue()).hexdigest())
    server.files["speech_commands_v0.02.tar.gz"] = content.getvalue()
    assert not is_here("speech-commands-13")
    with pytest.raises(UserError, match="has 1 recordings of the 35 words"):
        fetch("speech-commands", progress=False)
    folder = tmp_path / "SpeechCommands" / "speech_commands_v0.02"
    assert (folder / "cat" / "a.wav").read_bytes() == b"sound" and is_here("speech-commands-13")
    assert [path.name for path in folder.parent.iterdir() if not path.name.startswith(".")] == [folder.name]


def test_an_archive_that_leads_out_of_its_folder_is_refused(server, tmp_path, monkeypatch):
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as packed:
        packed.addfile(tarfile.TarInfo("../../out.txt"), io.BytesIO(b""))
    monkeypatch.setenv("BDISTIL_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(speech_commands, "URL", server.url)
    monkeypatch.setattr(speech_commands, "MD5", hashlib.md5(content.getvalue()).hexdigest())
    server.files["speech_commands_v0.02.tar.gz"] = content.getvalue()
    with pytest.raises(UserError, match=r"^.*v0\.02\.tar\.gz is damaged\. Delete it and start again\.$"):
        fetch("speech-commands", progress=False)
    assert not list(tmp_path.rglob("out.txt"))


def test_counts_are_those_of_the_official_release():
    assert (
        info("speech-commands-35").train + info("speech-commands-35").validation + info("speech-commands-35").test
        == speech_commands.RECORDINGS
    )
