"""The epoch loop: interrupted anywhere and gone on, it gives the weights of an uninterrupted training, bit for bit."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from bdistil.errors import UserError
from bdistil.records import EpochRecord
from bdistil.training.loop import (
    Callbacks,
    Checkpoint,
    Position,
    Stopped,
    batch_count,
    decayed,
    one_cycle,
    order,
    predict,
    train,
)

POSITION = Position("rounds", round=2, attempt=1)
EPOCHS, BATCHES = 4, 5
OPTIMIZERS = {
    "AdamW": lambda model: torch.optim.AdamW(decayed(model, 0.01), lr=0.0, fused=True),
    "SGD": lambda model: torch.optim.SGD(decayed(model, 0.01), lr=0.0, momentum=0.9, nesterov=True),
}


class Training:
    """A small convolutional training with batch norm, in the memory layout of the real ones, and an extra tensor."""

    def __init__(self, optimizer="AdamW", peak=0.05):
        torch.manual_seed(0)
        self.model = nn.Sequential(
            nn.Conv2d(2, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 16, 3)
        ).to(memory_format=torch.channels_last)
        self.optimizer = OPTIMIZERS[optimizer](self.model)
        self.extra = {"edges": torch.zeros(3)}
        self.peak, self.records = peak, []

    def run(self, checkpoint=None, stop_at=None, position=POSITION, figures=None, clip=None):
        """Train; `stop_at` is (epoch, batch) after which to stop."""
        reached = []

        def loss(batch):
            x, y = batch
            logits = self.model(x)
            self.extra["edges"] += logits.detach().mean(0)
            return nn.functional.cross_entropy(logits, y)

        return train(
            self.model,
            self.optimizer,
            position=position,
            epochs=EPOCHS,
            batches=self.batches,
            batches_per_epoch=BATCHES,
            loss=loss,
            rate=one_cycle(self.peak, 0.2),
            evaluate=figures or (lambda: {"accuracy": 0.5}),
            clip=clip,
            checkpoint=checkpoint,
            extra=self.extra,
            callbacks=Callbacks(
                lambda _, epoch, __, batch, ___: reached.append((epoch, batch)),
                lambda _, record: self.records.append(record),
                lambda: stop_at in reached,
            ),
        )

    def batches(self, epoch):
        generator = POSITION.generator(0, epoch)
        for _ in range(BATCHES):
            x = torch.from_numpy(generator.normal(size=(6, 2, 6, 6)).astype(np.float32))
            yield x, torch.from_numpy(generator.integers(0, 3, 6))

    def state(self):
        tensors = {**self.model.state_dict(), **self.extra}
        return {name: tensor.contiguous().numpy().tobytes() for name, tensor in tensors.items()}


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("stops", [[(1, 3)], [(2, 1)], [(3, 5)], [(2, 2), (2, 4), (4, 4)]])
def test_a_resumed_training_equals_an_uninterrupted_one(tmp_path, optimizer, stops):
    whole = Training(optimizer)
    expected = whole.run()
    checkpoint = Checkpoint(tmp_path / "checkpoint.safetensors")
    told = []
    for stop_at in stops:
        stopped = Training(optimizer)
        with pytest.raises(Stopped):
            stopped.run(checkpoint, stop_at)
        told += stopped.records
    resumed = Training(optimizer)
    record = resumed.run(checkpoint)
    assert resumed.state() == whole.state()
    assert record.loss == expected.loss and record.epoch == EPOCHS
    assert [r.epoch for r in told + resumed.records] == [1, 2, 3, 4]  # no whole epoch is trained twice


def test_a_finished_training_is_not_trained_again(tmp_path):
    checkpoint = Checkpoint(tmp_path / "checkpoint.safetensors")
    first = Training()
    record = first.run(checkpoint)
    again = Training()
    assert again.run(checkpoint) == record
    assert again.state() == first.state() and again.records == []


def test_another_trainings_checkpoint_is_left_alone(tmp_path):
    checkpoint = Checkpoint(tmp_path / "checkpoint.safetensors")
    Training().run(checkpoint)
    other, alone = Training(), Training()
    other.run(checkpoint, position=Position("rounds", round=3, attempt=1))
    alone.run()
    assert other.state() == alone.state() and len(other.records) == EPOCHS


def cut(path):
    path.write_bytes(path.read_bytes()[:-10])


def foreign(path):
    from safetensors.torch import save

    path.write_bytes(save({"x": torch.zeros(3)}))


def other_model(path):
    record = EpochRecord(epoch=1, epochs=1, loss=0.0, seconds=0.0, total=0.0)
    Checkpoint(path).save(POSITION, record, nn.Linear(2, 2), torch.optim.SGD([torch.zeros(1)]), {})


@pytest.mark.parametrize("damage", [cut, foreign, other_model, lambda path: path.write_bytes(b"")])
def test_a_damaged_checkpoint_is_a_sentence(tmp_path, damage):
    checkpoint = Checkpoint(tmp_path / "checkpoint.safetensors")
    with pytest.raises(Stopped):
        Training().run(checkpoint, (2, 2))
    damage(checkpoint.path)
    with pytest.raises(UserError, match="checkpoint.safetensors is damaged. Delete it and resume"):
        Training().run(checkpoint)
    checkpoint.path.unlink(missing_ok=True)
    checkpoint.path.unlink(missing_ok=True)  # twice is fine
    Training().run(checkpoint)


def test_a_loss_that_is_no_number_is_a_sentence(tmp_path):
    checkpoint = Checkpoint(tmp_path / "checkpoint.safetensors")
    training = Training("SGD", peak=1e30)
    with pytest.raises(UserError, match=r"^Training diverged: .* Choose a smaller learning rate\.$"):
        training.run(checkpoint)
    assert not checkpoint.path.exists() and training.records == []


def test_a_figure_that_is_no_number_is_a_sentence():
    with pytest.raises(UserError, match="Training diverged"):
        Training().run(figures=lambda: {"accuracy": 0.5, "kl": math.nan})


def test_the_rate_rises_to_its_peak_and_falls_to_its_end():
    rate = one_cycle(0.1, warm_up=0.2, start=0.04, end=0.01)
    assert rate(0.0) == pytest.approx(0.004)
    assert rate(0.1) == pytest.approx(0.1 * 0.52)
    assert rate(0.2) == pytest.approx(0.1)
    assert rate(0.6) == pytest.approx(0.1 * 0.505)
    assert rate(1.0) == pytest.approx(0.001)
    rates = [rate(share / 100) for share in range(101)]
    assert rates[:21] == sorted(rates[:21]) and rates[20:] == sorted(rates[20:], reverse=True)


@pytest.mark.parametrize(
    ("count", "size", "lengths"),
    [
        (10, 5, [5, 5]),
        (11, 5, [5, 6]),
        (12, 5, [5, 5, 2]),
        (4, 8, [4]),
        (2, 1, [2]),
        (3, 1, [1, 2]),
    ],
)
def test_every_example_is_seen_once_and_no_batch_but_one_of_ones_has_one(count, size, lengths):
    batches = list(order(np.random.default_rng(0), count, size))
    assert [len(batch) for batch in batches] == lengths
    assert sorted(np.concatenate(batches)) == list(range(count))
    assert batch_count(count, size) == len(batches)


def test_each_epoch_of_each_position_draws_its_own_and_always_the_same():
    places = [(Position("rounds", r, 1), seed, epoch) for r in (1, 2) for seed in (0, 1) for epoch in (0, 1)]
    places.append((Position("teacher"), 0, 0))
    drawn = [p.generator(seed, epoch).integers(2**62) for p, seed, epoch in places]
    assert len(set(drawn)) == len(drawn)
    assert drawn == [p.generator(seed, epoch).integers(2**62) for p, seed, epoch in places]
    assert Position("rounds", 1, 1).seed(0) != Position("rounds", 2, 1).seed(0)


def test_what_is_drawn_never_changes_between_versions():
    """A checkpoint of an older version goes on with the same numbers."""
    generator = Position("teacher").generator(0, 3)
    assert generator.permutation(8).tolist() == [3, 6, 2, 1, 4, 0, 5, 7]
    assert Position("rounds", 2, 1).seed(7) == 4149335961


def test_prediction_is_in_evaluation_mode_and_puts_the_mode_back():
    model = nn.Dropout(0.5).train()
    x = np.ones((7, 3), np.float32)
    assert torch.equal(predict(model, x, torch.from_numpy, batch_size=3), torch.ones(7, 3))
    assert model.training


def test_only_matrices_decay():
    first, second = decayed(nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2)), 0.1)
    assert (first["weight_decay"], second["weight_decay"]) == (0.1, 0.0)
    assert [p.ndim for p in first["params"]] == [4] and {p.ndim for p in second["params"]} == {1}


@pytest.mark.parametrize("clip", [None, 0.05])
def test_it_is_the_loop_written_out(clip):
    """A rate for every step, a fresh gradient in each, cut to the largest norm; losses are means over an epoch."""
    trained = Training("SGD")
    by_hand = Training("SGD")
    rate, losses, norms = one_cycle(0.05, 0.2), [], []
    for epoch in range(EPOCHS):
        losses.append([])
        for number, (x, y) in enumerate(by_hand.batches(epoch)):
            gradients = torch.autograd.grad(
                loss := nn.functional.cross_entropy(by_hand.model.train()(x), y), list(by_hand.model.parameters())
            )
            norms.append(float(torch.sqrt(sum(gradient.square().sum() for gradient in gradients))))
            shrunk = 1.0 if clip is None else min(1.0, clip / (norms[-1] + 1e-6))
            for parameter, gradient in zip(by_hand.model.parameters(), gradients, strict=True):
                parameter.grad = shrunk * gradient
            for group in by_hand.optimizer.param_groups:
                group["lr"] = rate((BATCHES * epoch + number) / (BATCHES * EPOCHS))
            by_hand.optimizer.step()
            losses[-1].append(loss.item())
    assert clip is None or min(norms) > clip, "every gradient is cut"
    trained.run(clip=clip)
    for name, tensor in by_hand.model.state_dict().items():
        torch.testing.assert_close(trained.model.state_dict()[name], tensor, msg=name)
    assert [record.loss for record in trained.records] == pytest.approx([np.mean(each) for each in losses])


def test_the_seconds_of_a_training_are_those_of_all_its_epochs(tmp_path):
    checkpoint = Checkpoint(tmp_path / "checkpoint.safetensors")
    stopped, resumed = Training(), Training()
    with pytest.raises(Stopped):
        stopped.run(checkpoint, (3, 1))
    resumed.run(checkpoint)
    records = stopped.records + resumed.records
    assert [record.total for record in records] == pytest.approx(np.cumsum([record.seconds for record in records]))
    assert min(record.seconds for record in records) > 0


def test_what_a_model_draws_itself_differs_from_epoch_to_epoch():
    torch.manual_seed(0)
    model, drawn = nn.Sequential(nn.Linear(1, 64), nn.Dropout(0.5)), []

    def loss(x):
        drawn.append(model(x).detach().eq(0).tolist())
        return model(x).sum()

    def run(position=POSITION, seed=0):
        drawn.clear()
        train(
            model,
            torch.optim.SGD(model.parameters(), lr=0.0),
            position=position,
            epochs=2,
            batches=lambda epoch: iter([torch.ones(1, 1)]),
            batches_per_epoch=1,
            loss=loss,
            rate=lambda done: 0.0,
            evaluate=dict,
            seed=seed,
        )
        return list(drawn)

    first, second = run()
    assert first != second and run() == [first, second]
    for other in (run(seed=1), run(Position("rounds", 2, 2)), run(Position("rounds", 3, 1)), run(Position("polish"))):
        assert first not in other and second not in other


def test_removing_a_checkpoint_removes_the_heads_beside_it(tmp_path):
    checkpoint = Checkpoint(tmp_path / "checkpoint.safetensors")
    checkpoint.write(POSITION, {}, {"x": torch.zeros(1)})
    checkpoint.heads.write(POSITION, {}, {"x": torch.zeros(1)})
    checkpoint.remove()
    checkpoint.remove()  # twice is fine
    assert list(tmp_path.iterdir()) == []
