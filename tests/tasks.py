"""Small tasks for tests that train: digits, with the shipped teacher's answers."""

from dataclasses import replace

import pytest
import torch

from bdistil.method.distillation import DistillationData
from bdistil.runs.jobs import distillation_data
from bdistil.teachers import card
from tests.workers import distil_config


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Tests that train use one thread: the same sums in the same order everywhere."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def digits_task(examples: int | None = None) -> DistillationData:
    """Digits in two views, or its first training examples only."""
    task = distillation_data(distil_config(), card("digits-resnet-s"))
    if examples is None:
        return task
    dataset = replace(task.dataset, x_train=task.dataset.x_train[:examples], y_train=task.dataset.y_train[:examples])
    teacher = replace(task.teacher, train=task.teacher.train[:examples])
    return DistillationData(dataset, teacher, task.views[:, :examples], task.view_logits[:, :examples])
