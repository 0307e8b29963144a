"""One-line faults, each put into a copy of the repository, against the tests of the module that has it.

A fault is killed if a test fails, and survives if all pass: then the line may be broken without anybody noticing. Tests
that fail without a fault are reported first. `tests/test_benchmarks.py` keeps the list in step with the code.

    python benchmarks/faults.py                           all of them
    python benchmarks/faults.py training/loop heaviest    those with one of these words in their file or their lines
    python benchmarks/faults.py --open                    those that have not been killed yet
"""

import csv
import os
import re
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NoReturn

import pandas  # noqa: F401
import plotly.graph_objects  # noqa: F401
import pydantic  # noqa: F401
import pytest
import sklearn.model_selection  # noqa: F401
import torch._dynamo  # noqa: F401
import torch._inductor.config  # noqa: F401

ROOT = Path(__file__).resolve().parents[1]
LIMIT = 900.0  # seconds for the tests of a module; a fault that makes them take longer is killed
FOLDERS = ("bdistil", "app", "pages", "assets", "tests", "benchmarks")  # of the repository, that tests read
SURVIVED = "survived"
RECORD = ROOT / "benchmarks" / "results" / "faults.csv"  # of each fault, what became of it
Row = tuple[str, str, str]
FILES = ("pyproject.toml", "README.md", "requirements.txt")

# File: its tests, and the faults in it, each as the text that stands once in the file and what takes its place.
LIST: dict[str, tuple[tuple[str, ...], tuple[tuple[str, str], ...]]] = {
    "bdistil/method/certificate.py": (
        ("tests/method/test_certificate.py",),
        (
            ("np.sqrt(2 * np.log(2 * examples) / rounds)", "np.sqrt(2 * np.log(examples) / rounds)"),
            ("return up / total, down / total", "return down / total, up / total"),
            ('einsum("ij,ij->j", up - down, d_rows)', 'einsum("ij,ij->j", down - up, d_rows)'),
            ('einsum("ij,ij->j", both, both)', 'einsum("ij,ij->j", up, up)'),
            ("np.fmin(x**2 / 2,", "np.fmin(x**2,"),
            ("(np.expm1(x) - x)", "np.expm1(x)"),
            ("np.lexsort((places, -both.ravel()[places]))", "np.lexsort((places, both.ravel()[places]))"),
            ("np.where(side == 0, 1, -1)", "np.where(side == 0, -1, 1)"),
            ('"label": label,', '"label": index,'),
            ("(edge > 0).all()", "(edge >= 0).all()"),
            ("(edge > 0).all()", "(edge > 0).any()"),
            ("np.argmin(bound - measured)", "np.argmin(bound)"),
            ("np.minimum(1, self._largest / self.round)", "np.minimum(1, largest)"),
            ("(np.log(2 * len(self.g_hat)) + self._growths)", "(np.log(len(self.g_hat)) + self._growths)"),
            ("measures.effective[THEORY].min()", "measures.effective[THEORY].max()"),
            ("return self._summed.copy()", "return self._summed"),
        ),
    ),
    "bdistil/method/objective.py": (
        ("tests/method/test_objective.py",),
        (
            ("return temperature**2 * functional", "return temperature * functional"),
            ("functional.mse_loss(logits, target) / 2", "functional.mse_loss(logits, target)"),
            ("((round - 1) * previous + f) / round", "(previous + f) / 2"),
            ("(1 - self.label_share) * loss +", "loss +"),
            ("edges = examples / len(f) * (", "edges = ("),
            ("1 - self.momentum)", "self.momentum)"),
            ("(width * (1 + self.edges / width))", "width"),
            ("self.edges.clamp_(-self.deviation, self.deviation)", "self.edges.clamp_(max=self.deviation)"),
        ),
    ),
    "bdistil/method/distillation.py": (
        ("tests/method/test_distillation.py",),
        (
            ("np.flatnonzero(view == 0)", "np.arange(len(view))"),
            ("self.view_targets[view, chosen]", "self.view_targets[0, chosen]"),
            ("self.views[view, chosen]", "self.views[0, chosen]"),
            ("generator.integers(0, views, len(chosen))", "generator.integers(0, len(self.views), len(chosen))"),
            ("(self.c * prefix, self.teacher[split])", "(prefix, self.teacher[split])"),
            ("scale(self.teacher.train)", "scale(self.teacher.validation)"),
        ),
    ),
    "bdistil/method/student_training.py": (
        ("tests/method/test_student_training.py", "tests/method/test_search.py"),
        (
            ("signed[batch.chosen[clean]]", "signed[clean]"),
            ("barrier.penalty(f[clean], batch.target[clean],", "barrier.penalty(f[clean], batch.target[: len(clean)],"),
            ("previous=total / max(1, t - 1)", "previous=total"),
            ("value = value + barrier.penalty(", "value = value - barrier.penalty("),
            ("(total + f) / (len(ensemble) + 1)", "(total + f) / max(1, len(ensemble))"),
            (
                "torch.manual_seed(position.seed(distillation.config.seed))",
                "torch.manual_seed(distillation.config.seed)",
            ),
        ),
    ),
    "bdistil/method/ladder.py": (
        ("tests/method/test_ladder.py", "tests/method/test_search.py"),
        (
            ("config.growth ** (round - 1)", "config.growth**round"),
            ("return whole[whole.index(config.composition) :]", "return whole"),
            ("if times == 1 else", "if times <= 1.5 else"),
            ("first = spent + FIRST_SHARE * (limit - spent)", "first = FIRST_SHARE * limit"),
            ("_largest(config, info, ensemble, name, each - spent)", "_largest(config, info, ensemble, name, each)"),
            ("(macs - spent) / (limit - spent)", "macs / limit"),
            ("if self.share >= NEAR", "if self.share <= NEAR"),
        ),
    ),
    "bdistil/budgets.py": (
        ("tests/test_budgets.py",),
        (
            ("later <= earlier", "later < earlier"),
            ("limits[-1] > 1", "limits[-1] > 10"),
            ('"%": 0.01', '"%": 1'),
            ("limits[0] <= 0", "limits[0] < 0"),
        ),
    ),
    "bdistil/method/correction.py": (
        ("tests/method/test_search.py",),
        (
            ("config.rounds_for_eta - certificate.round - 1", "config.rounds_for_eta - certificate.round"),
            ("kl[1] > MOST_KL * kl[0] and before.mean()", "kl[1] > MOST_KL * kl[0] or before.mean()"),
            ("after.mean() - error > config.max_accuracy_drop", "after.mean() > config.max_accuracy_drop"),
            ("    set_head(student, weight, bias)", "    pass"),
            ("(certificate.summed() + f) / (certificate.round + 1)", "(certificate.summed() + f) / certificate.round"),
            ("float(right_before.mean() - right_after.mean())", "float(right_after.mean() - right_before.mean())"),
            ("why=tried.outcome, edge_min=tried.edge_min", "why=tried.outcome, edge_min=min(tried.edges_before)"),
        ),
    ),
    "bdistil/method/head_correction.py": (
        ("tests/method/test_head_correction.py",),
        (
            ("(edges > 0).all() and divergence < least", "(edges >= 0).all() and divergence < least"),
            ("f = t * answer - summed if gives_prefix", "f = t * answer if gives_prefix"),
            ("pull, total = -torch.sinh(s)", "pull, total = torch.sinh(s)"),
            ("share * kl(problem.c * summed / t,", "kl(problem.c * summed / t,"),
            ("s = eta * (summed - (t - 1) * g_hat)", "s = eta * (summed - t * g_hat)"),
            ("range(progress.update + 1, OUTER + 1)", "range(progress.update, OUTER + 1)"),
            ("if t > 1:", "if t > 2:"),
        ),
    ),
    "bdistil/method/search.py": (
        ("tests/method/test_search.py",),
        (
            ("config.barrier * BARRIER_FACTOR**n", "config.barrier * (1 + BARRIER_FACTOR * n)"),
            ("min(attempt.record.edges_before)", "max(attempt.record.edges_before)"),
            ('("rounds", round=round, attempt=number)', '("rounds", round=round, attempt=1)'),
            ("seconds=trained.total + correction.correction_seconds", "seconds=trained.total"),
            ('if round > 1 else "alone"', 'if round > 2 else "alone"'),
            ("if number > len(attempts):", "if number >= len(attempts):"),
        ),
    ),
    "bdistil/method/frozen.py": (
        ("tests/method/test_search.py", "tests/method/test_frozen.py"),
        (
            ("attempts), heaviest)", "attempts), certificate.heaviest())"),
            ("Certificate(data.g_hat, config.rounds_for_eta)", "Certificate(data.g_hat, config.rounds)"),
            ("        tried = ()\n", "        pass\n"),
            ("found.kl_after if attempt.met else found.kl_before", "found.kl_after"),
            ("seconds=sum(each.record.seconds for each in attempts)", "seconds=found.seconds"),
        ),
    ),
    "bdistil/method/joint.py": (
        ("tests/method/test_joint_steps.py", "tests/method/test_joint.py"),
        (
            ("f = t * prefixes[-1] - (t - 1) * prefixes[-2].detach()", "f = prefixes[-1]"),
            ("(t - 1) * prefixes[-2].detach()", "(t - 1) * prefixes[-2]"),
            ("signed[batch.chosen[clean]]", "signed[clean]"),
            ("shares[-1] / t * penalty", "penalty"),
            ("weights((round - 1) * (previous - data.g_hat)", "weights(round * (previous - data.g_hat)"),
            ("signed = up - down", "signed = down - up"),
            ("config.epochs, ROUNDS_END, signed", "config.epochs, 0.0, signed"),
            ("answer if student.gives_prefix else (total + answer) / t", "(total + answer) / t"),
            ("(time.monotonic() - started) / len(heads)", "time.monotonic() - started"),
            ("costly = any(", "costly = all("),
            ("met = all(record.condition_met", "met = any(record.condition_met"),
            ("right.mean(1) - still.mean(1)", "still.mean(1) - right.mean(1)"),
            (".astype(np.float64).cumsum(axis=0)\n", ".astype(np.float64)\n"),
            ("ensemble.normalise(x[i : i + BATCH])))[-1]", "ensemble.normalise(x[i : i + BATCH])))[0]"),
            ("epoch >= epochs - config.clean_epochs", "epoch > epochs - config.clean_epochs"),
            ("share * objective.compare(", "objective.compare("),
        ),
    ),
    "bdistil/training/loop.py": (
        ("tests/training/test_loop.py",),
        (
            ("rate((epoch + number / batches_per_epoch) / epochs)", "rate(epoch / epochs)"),
            ("loss=total / batches_per_epoch", "loss=total"),
            ("nn.utils.clip_grad_norm_(model.parameters(), clip)", "pass"),
            ("optimizer.zero_grad(set_to_none=True)", "pass"),
            ("total=seconds + (record.total if record else 0.0)", "total=seconds"),
            ("torch.manual_seed(position.seed(seed, epoch + 1))", "torch.manual_seed(position.seed(seed))"),
            ("    model.train()", "    model.eval()"),
            ("if p.ndim > 1]", "if p.ndim > 0]"),
            ("self.round or 0, self.attempt or 0]", "self.round or 0, 0]"),
            ("self.heads.path.unlink(missing_ok=True)", "pass"),
        ),
    ),
    "bdistil/training/teacher.py": (
        ("tests/training/test_teacher.py",),
        (
            ("generator.random(len(chosen)) < UNCHANGED", "generator.random(len(chosen)) < 0"),
            (
                "inputs[unchanged] = data.x_train[chosen[unchanged]]",
                "inputs[unchanged] = data.x_train[chosen[: unchanged.sum()]]",
            ),
            ("epoch < CROPPED * config.epochs", "epoch >= 0"),
            ("right = answers == data.y_test", "right = answers == data.y_validation"),
        ),
    ),
    "bdistil/ensemble.py": (
        ("tests/test_ensemble.py",),
        (
            ("slowest = max(slowest, now - before)", "slowest = now - before"),
            ("now - started + slowest > deadline_ms", "now - started > deadline_ms"),
            ("yield self.c * (total / t)", "yield self.c * (total / len(self))"),
            ("(t * answer - total if student.gives_prefix", "(t * answer if student.gives_prefix"),
            ('"front_end": self.front_end,', '"front_end": None,'),
            ("                total = total + f\n", "                pass\n"),
            ("clamp(min=1e-4)", "clamp(min=1e-1)"),
            ("clamp(max=1 - 1e-6)", "clamp(max=1)"),
            ("total, carry = total + f, left", "total, carry = total + f, carry"),
        ),
    ),
    "bdistil/estimator.py": (
        ("tests/estimator/test_estimator.py",),
        (
            (
                "self.ensemble_.predict_until(self._inputs(X), deadline_ms)",
                'self.ensemble_.predict_until(self._inputs(X), float("inf"))',
            ),
        ),
    ),
    "bdistil/cost.py": (
        ("tests/test_cost.py",),
        (
            ("overhead += student.reading_macs", "overhead = student.reading_macs"),
            ("total += macs(student, x, carry)", "total = macs(student, x, carry)"),
            ("return counter.get_total_flops() // 2", "return counter.get_total_flops()"),
            ("steps[1] / student.input_shape[-1]", "(steps[1] - steps[0]) / student.input_shape[-1]"),
            ("if buffer.is_floating_point()", "if True"),
            ("memory_bytes=memory[t - 1]", "memory_bytes=memory[0]"),
        ),
    ),
    "bdistil/statistics.py": (
        ("tests/results/test_frontier.py",),
        (
            ("shares = sizes / sizes.sum()", "shares = np.full(len(sizes), 1 / len(sizes))"),
            ("1 / float((shares**2).sum()) - 1", "len(shares) - 1"),
            ("(means - centre[:, None]) / np.sqrt(1 - shares)", "(means - centre[:, None])"),
            ("[2.5, 97.5]", "[5, 95]"),
            ("if len(sizes) < FEWEST_GROUPS", "if len(sizes) <= FEWEST_GROUPS"),
            ("return count if count > 1 else None", "return count if count > 2 else None"),
            ("z * z / (4 * total * total)", "z * z / (2 * total * total)"),
            ("low, high = np.clip(", "low, high = np.array("),
            ("means = sums / sizes\n", "means = sums / sizes.max()\n"),
        ),
    ),
    "bdistil/runs/points.py": (
        ("tests/results/test_frontier.py",),
        (
            ("int((right & ~before).sum())", "int((before & ~right).sum())"),
            ("int((before & ~right).sum())", "int((right & ~before).sum())"),
            ("(answers == teacher.argmax(axis=1)).mean()", "(answers == labels).mean()"),
            ("(c * total / number)", "(c * total)"),
        ),
    ),
    "bdistil/results/certificate.py": (
        ("tests/results/test_certificate.py",),
        (
            ("return self.bound < self.trivial", "return self.bound <= self.trivial"),
            ("row.measured > row.bound + ROUNDING", "row.measured > row.bound - ROUNDING"),
            ("np.all(tells, axis=1) if tells[-1].all()", "np.any(tells, axis=1) if tells[-1].all()"),
            ("max(initial=-1)) + 2 if", "max(initial=-1)) + 1 if"),
            ("rounds.min(axis=0)", "rounds.max(axis=0)"),
            ("2 * examples * weight", "examples * weight"),
            ("sign > 0,", "sign < 0,"),
            ("classes[teacher], sign", "classes[label], sign"),
            ("key=lambda row: row.bound - row.measured)", "key=lambda row: row.bound)"),
            ("row.bound / row.trivial if row.trivial else", "row.bound if row.trivial else"),
        ),
    ),
    "bdistil/results/confusion.py": (
        ("tests/results/test_confusion.py",),
        (
            ("return self.students - self.teacher", "return self.teacher - self.students"),
            ("results.labels * size + answers", "answers * size + results.labels"),
            ("(row.difference, row.accuracy))", "row.difference)"),
            (
                "np.bincount(results.labels, hits, size) / counts",
                "np.bincount(results.labels, hits, size) / size",
            ),
            ("len(kept) > MOST_CLASSES", "len(kept) >= MOST_CLASSES"),
        ),
    ),
    "bdistil/results/disagreements.py": (
        ("tests/results/test_disagreements.py",),
        (
            ("np.argsort(-sure", "np.argsort(sure"),
            ("float(theirs[place].max())", "float(theirs[0].max())"),
            ("teacher=names[teacher[index]]", "teacher=names[answers[index]]"),
            ("len(differing), [", "len(shown), ["),
        ),
    ),
    "bdistil/results/loading.py": (
        ("tests/results/test_frontier.py",),
        (
            ("[c * _arrays(", "[_arrays("),
            ("_prefixes(run.unpolished_folders(), c)", "_prefixes(folders, c)"),
            ("points_lost(logits, teacher, labels, people)", "points_lost(logits, teacher, labels)"),
        ),
    ),
    "bdistil/results/architecture.py": (
        ("tests/results/test_architecture.py",),
        (
            ("point.macs - (before.macs if before else 0)", "point.macs"),
            ("return first / length, end / length", "return first / length, 1.0"),
            ('composition if spec.reads else "alone"', "composition"),
        ),
    ),
    "bdistil/results/scarce.py": (
        ("tests/results/test_scarce.py",),
        (("counts[place] / max(1, sum(counts))", "counts[place] / max(counts)"),),
    ),
    "bdistil/report/formats.py": (
        ("tests/report/test_formats.py",),
        (
            ("if abs(number) >= 10_000 else", "if abs(number) >= 1_000 else"),
            ("if 0 < ratio < 0.01 else", "if ratio < 0.01 else"),
            ("if minutes < 60:", "if minutes <= 60:"),
            ("later <= close for later", "later < close for later"),
            ("for later in lost[place:])", "for later in lost[place : place + 1])"),
            ("if lost[place] < 0.05:", "if lost[place] < 0.5:"),
            ("number < len(WORDS)", "number <= len(WORDS)"),
            ("if accuracy >= share:", "if accuracy > share:"),
            ("if len(names) > MOST_NAMES else", "if len(names) >= MOST_NAMES else"),
            ("if number < FEWEST_GROUPS:", "if number <= FEWEST_GROUPS:"),
            ("    if number == 1:\n", "    if number == 0:\n"),
            ('"below" if accuracy < teacher else "above"', '"above" if accuracy < teacher else "below"'),
            ("0 < abs(value) < 5e-5", "0 < value < 5e-5"),
            ("teacher.kind is None if", "teacher.kind is not None if"),
            ("if value < 10 else duration(value)", "if value <= 10 else duration(value)"),
        ),
    ),
    "bdistil/report/cost_axes.py": (
        ("tests/report/test_cost_axes.py",),
        (
            ("if len(found) >= 3:", "if len(found) >= 2:"),
            ("if len(found) <= 10:", "if len(found) <= 12:"),
            ("math.floor(high / step + 1e-9)", "math.floor(high / step)"),
            ("rough * 0.999", "rough"),
            ("(1, 2, 5, 10) if", "(1, 5, 10) if"),
            ("return self.cost(point) / whole if whole", "return whole / self.cost(point) if whole"),
            ("        if self.stated:\n", "        if self.relative:\n"),
            ("None if self.relative else self.share(point, teacher)", "self.share(point, teacher)"),
            ("self.text(self.cost(point)) if share is None", "self.text(self.cost(point)) if share is not None"),
            ("all(axis.of_point(point) is not None", "any(axis.of_point(point) is not None"),
        ),
    ),
    "bdistil/report/certificate_text.py": (
        ("tests/report/test_certificate_text.py",),
        (
            ("edge <= 0 for edge in record.edges", "edge < 0 for edge in record.edges"),
            ("needed > found.rounds]", "needed >= found.rounds]"),
            ("count(int(number + 0.5))", "count(int(number))"),
            ('"too low" if pair.too_low else "too high"', '"too high" if pair.too_low else "too low"'),
            ("later = records[1:]", "later = records"),
            ("1 if pair.times < 100 else 0", "1"),
            ("if done == planned else", "if done != planned else"),
        ),
    ),
    "bdistil/report/certificate_figures.py": (
        ("tests/report/test_certificate_figures.py",),
        (
            ("HEIGHT - 6 - (HEIGHT - 12) * value / top", "6 + (HEIGHT - 12) * value / top"),
            ("(row.round - 1) / max(1, rounds - 1)", "row.round / max(1, rounds - 1)"),
            ("max(rounds, len(rows)) + 0.5)", "len(rows) + 0.5)"),
            ("(min(1.0, *values), 1.6 * examples)", "(min(values), 1.6 * examples)"),
            ("least = values.index(min(values))", "least = values.index(max(values))"),
        ),
    ),
    "bdistil/report/figures.py": (
        ("tests/report/test_figures.py",),
        (
            ("for mark in marks if mark[1] < 0]", "for mark in marks if mark[1] <= 0]"),
            ("len(counted) <= MOST_NUMBERS", "len(counted) < MOST_NUMBERS"),
            ("[high - value for high, value", "[high for high, value"),
            ("record.highs + record.lows[::-1]", "record.highs + record.lows"),
            ("0.5 * (index / (len(edges) - 1) - 0.5)", "1.5 * (index / (len(edges) - 1) - 0.5)"),
            ("if (event.attempt or 0) > attempt:", "if (event.attempt or 0) >= attempt:"),
            ('event.phase == "teacher" and event.validation', "event.validation"),
            ("(max(heights) - min(heights) or 1.0)", "(max(heights) - min(heights))"),
            ("x=line.epochs[-1],", "x=line.epochs[0],"),
            ("heights = (*lows, *highs, accuracy,", "heights = (*lows, *highs,"),
        ),
    ),
    "bdistil/report/chart.py": (
        ("tests/report/test_chart.py",),
        (
            ("floor = spaced[number] + gap", "floor = places[number] + gap"),
            ('line.replace("<", "&lt;")', "line"),
            ("value == round(value) >= 1", "value == round(value)"),
            ("max(map(len, axis.ticktext), default=0)", "min(map(len, axis.ticktext), default=0)"),
            ("[math.log10(limit) for limit in limits] if log", "[math.log(limit) for limit in limits] if log"),
        ),
    ),
    "bdistil/report/tables.py": (
        ("tests/report/test_tables.py",),
        (
            ("sum(abs(value) >= limit for limit in STEPS)", "sum(abs(value) > limit for limit in STEPS)"),
            ("better = (value > 0) == own", "better = value > 0"),
            ("reversed(list(enumerate(pairs)))", "list(enumerate(pairs))"),
            ("formats.signed(100 * (row.accuracy - last))", "formats.signed(100 * (last - row.accuracy))"),
            (
                "int(10 * min(teacher, *(point.accuracy for point in points))) / 10",
                "int(10 * min(point.accuracy for point in points)) / 10",
            ),
            ("formats.decimal(share * seconds, 2)", "formats.decimal(seconds, 2)"),
            ('"tells" if found.tells else "vacuous"', '"vacuous" if found.tells else "tells"'),
            ("pixels = 255 - pixels", "pass"),
            ('" chosen" if prefix == chosen', '" chosen" if prefix == chosen + 1'),
        ),
    ),
    "bdistil/report/palette.py": (
        ("tests/report/test_palette.py",),
        (
            ("a + (b - a) * amount", "b + (a - b) * amount"),
            ("min(int(place), len(stops) - 2)", "0"),
            ("+ 0.055) / 1.055) ** 2.4", "+ 0.055) / 1.055) ** 1.4"),
        ),
    ),
    "bdistil/report/series_drawing.py": (
        ("tests/report/test_series_drawing.py",),
        (
            ("_STILL = 'vector-effect=\"non-scaling-stroke\"'", "_STILL = ''"),
            ("/ np.maximum(series.std, 1e-6)\n", "\n"),
            ("sorted(ranked[:most])", "ranked[:most]"),
            ("np.rint(ink).astype(np.uint8)[::-1]", "np.rint(ink).astype(np.uint8)"),
            ("series.values[place] - series.mean[:, None]", "series.values[place]"),
            ("round(series.seconds * series.sampling_hz) if series.seconds", "len(samples) if series.seconds"),
            ("1 if abs(value) >= 10 else 2", "2"),
        ),
    ),
    "bdistil/report/architecture_drawing.py": (
        ("tests/report/test_architecture_drawing.py",),
        (
            ("100 * part.macs / (most or 1)", "100 * part.parameters / (most or 1)"),
            ('each = "" if part.first == part.last else " each"', 'each = ""'),
            ("if len(used) == 1 else", "if len(used) <= 2 else"),
        ),
    ),
    "bdistil/report/silence.py": (
        ("tests/report/test_silence.py",),
        (("None if seconds < SILENT", "None if seconds <= SILENT"), ("SILENT = 30.0", "SILENT = 90.0")),
    ),
    "bdistil/config.py": (
        ("tests/test_config.py",),
        (
            ("> MOST_GROWN:", ">= MOST_GROWN:"),
            ("MOST_GROWN = 64", "MOST_GROWN = 100"),
        ),
    ),
    "bdistil/data/dataset.py": (
        ("tests/data/test_dataset.py",),
        (
            ("np.sort(np.random.default_rng(_THINNING).permutation(len(self.x_train))[:count])", "np.arange(count)"),
            ("(train[kept], *others)", "(train[: len(kept)], *others)"),
            ("_STILL = 1e-6", "_STILL = 0.0"),
            ("hashed.update(self.y_test.data)", "pass"),
            ("            hashed.update(y[name].data)\n", ""),
            ("/ x[:, channel].size", "/ x[: block, channel].size"),
            ("self.people_test if self.info.people else None", "self.people_test"),
        ),
    ),
    "bdistil/data/class_counts.py": (
        ("tests/results/test_scarce.py",),
        (("0 < count < FEWEST", "0 < count <= FEWEST"),),
    ),
    "bdistil/data/leaks.py": (
        ("tests/data/test_leaks.py",),
        (
            ("& (stretches[second] > 0)", ""),
            ("overlaps = ~same & (", "overlaps = ("),
        ),
    ),
    "bdistil/data/views.py": (
        ("tests/data/test_views.py",),
        (
            ("changed[mirrored, :, :, ::-1]", "changed[mirrored, :, ::-1]"),
            ("np.random.default_rng([seed, index])", "np.random.default_rng([seed])"),
            ("right = generator.integers(0, windows.shape[3], size=len(x))", "right = down"),
        ),
    ),
    "bdistil/data/windows.py": (
        ("tests/data/test_windows.py",),
        (("(1 - (_OVERLAP if overlap is None else overlap))", "(_OVERLAP if overlap is None else overlap)"),),
    ),
    "bdistil/inputs.py": (
        ("tests/test_inputs.py",),
        (
            (".clamp(min=-1)", ".clamp(min=-2)"),
            ("x.cummax(dim=2).values", "x.amax(dim=2, keepdim=True)"),
        ),
    ),
    "bdistil/students/gru.py": (
        ("tests/students/test_gru.py",),
        (
            (
                "functional.dropout(carry[STATE], self.dropout, self.training)",
                "functional.dropout(carry[STATE], self.dropout)",
            ),
            ("states.mean(dim=1), last[0]", "last[0], last[0]"),
            ("self.first : self.end].transpose", "self.first :].transpose"),
            ("bias[hidden : 2 * hidden] += KEEPING", "bias[:hidden] += KEEPING"),
        ),
    ),
    "bdistil/students/tcn.py": (
        ("tests/students/test_tcn.py",),
        (
            ("h.mean(dim=2), h.amax(dim=2)", "h.mean(dim=2), h.mean(dim=2)"),
            ("self.reading_macs += left * channels * halved", "self.reading_macs += left * channels"),
        ),
    ),
    "bdistil/students/cnn.py": (
        ("tests/students/test_students.py",),
        (
            ("activation = activation + h\n", "activation = activation\n"),
            ("self.head.weight.mul_(HEAD_START)", "pass"),
        ),
    ),
    "bdistil/students/catalogue.py": (
        ("tests/students/test_catalogue.py",),
        (
            (
                "(round - 1) * steps // rounds, round * steps // rounds",
                "(round - 1) * (steps // rounds), round * (steps // rounds)",
            ),
        ),
    ),
    "bdistil/teachers/doubts.py": (
        ("tests/teachers/test_doubts.py",),
        (
            ("(teacher - chance) / 2", "(teacher - chance) / 4"),
            ("max(least, ERRORS * error)", "least"),
        ),
    ),
    "bdistil/runs/previews.py": (
        ("tests/runs/test_previews.py",),
        (
            ("(even[:, :, ::2] + even[:, :, 1::2]) / 2, rate / 2", "even[:, :, ::2], rate / 2"),
            ("return None in (found", "return None not in (found"),
        ),
    ),
    "bdistil/runs/heartbeat.py": (
        ("tests/runs/test_heartbeat.py",),
        (
            ("elapsed * (1 - fraction) / gone", "elapsed * (1 - fraction) / fraction"),
            ("(epoch - 1 + batch / batches) / epochs", "(epoch + batch / batches) / epochs"),
            ("before + part * fraction", "part * fraction"),
        ),
    ),
}


@dataclass(frozen=True)
class Fault:
    """A fault in `file`: `new` stands where `old` stood; `tests` are those of the module."""

    file: str
    old: str
    new: str
    tests: tuple[str, ...]

    @property
    def row(self) -> Row:
        """What names it in the record of outcomes."""
        return self.file, self.old, self.new

    def put_into(self, text: str) -> str:
        """The file's text with the fault. Raises ValueError where `old` does not stand in it exactly once."""
        if (count := text.count(self.old)) != 1:
            raise ValueError(f"{self.file} has {self.old!r} {count} times, not once")
        return text.replace(self.old, self.new)


def faults() -> Iterator[Fault]:
    """All faults of `LIST`."""
    for file, (tests, pairs) in LIST.items():
        for old, new in pairs:
            yield Fault(file, old, new, tests)


@dataclass(frozen=True)
class Copy:
    """A copy of the repository, in which faults are put and tests run."""

    root: Path

    @property
    def log(self) -> Path:
        """What the last tests have printed."""
        return self.root / "log"

    def outcome(self, fault: Fault) -> str:
        """`killed by NAME`, or `survived`; the file is put back."""
        path = self.root / fault.file
        text = path.read_text(encoding="utf-8")
        try:
            path.write_text(fault.put_into(text), encoding="utf-8")
            failed = self.failing(fault.tests)
        finally:
            path.write_text(text, encoding="utf-8")
        return f"killed by {failed}" if failed else SURVIVED

    def failing(self, tests: tuple[str, ...]) -> str | None:
        """The first test that fails, None where all pass."""
        pid = os.fork()  # of a process that has imported what is no part of the project: that takes longest
        if not pid:
            self._test(tests)
        end = time.monotonic() + LIMIT
        while not (ended := os.waitpid(pid, os.WNOHANG))[0]:
            if time.monotonic() > end:
                os.killpg(pid, signal.SIGKILL)
            time.sleep(0.05)
        if ended[1] == 0:
            return None
        found = re.search(r"^(?:FAILED|ERROR) \S+?::(\w+)", self.log.read_text(errors="replace"), re.MULTILINE)
        return found[1] if found else "import"  # without a test's name: the tests could not be collected

    def _test(self, tests: tuple[str, ...]) -> NoReturn:
        """Runs tests in this process, which ends with their exit status."""
        status = 70
        try:
            os.setsid()
            os.chdir(self.root)
            output = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            for stream in (1, 2):
                os.dup2(output, stream)
            sys.path[:] = [
                str(self.root),
                str(self.root / "app"),
                *(path for path in sys.path if str(ROOT) not in path),
            ]
            os.environ["PYTHONPATH"] = os.pathsep.join(sys.path[:2])
            sys.dont_write_bytecode = True  # a file that changes twice in a second would be taken for the same
            status = pytest.main(["-q", "-x", "--no-header", "-p", "no:cacheprovider", *tests])
        except BaseException:
            sys.excepthook(*sys.exc_info())
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)


def copied(folder: Path) -> Copy:
    """A copy of what tests read, in an empty folder."""
    ignored = shutil.ignore_patterns("__pycache__")
    for name in FOLDERS:
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    for name in FILES:
        shutil.copy(ROOT / name, folder / name)
    return Copy(folder)


def main(words: list[str]) -> None:
    if only_open := "--open" in words:
        words.remove("--open")
    killed = {row for row, outcome in recorded().items() if outcome != SURVIVED} if only_open else set()
    chosen = [
        fault
        for fault in faults()
        if fault.row not in killed
        and (not words or any(word in text for word in words for text in (fault.file, fault.old, fault.new)))
    ]
    found: dict[Row, str] = {}
    try:
        with tempfile.TemporaryDirectory() as folder:
            copy = copied(Path(folder))
            intact = cache(copy.failing)
            for fault in chosen:
                if failed := intact(fault.tests):
                    log = copy.log.read_text(errors="replace")[-3000:]
                    raise SystemExit(f"{failed} of {', '.join(fault.tests)} fails without a fault:\n{log}")
                began = time.monotonic()
                found[fault.row] = copy.outcome(fault)
                told = fault.file, repr(fault.old), repr(fault.new), found[fault.row]
                print(" | ".join((*told, f"{time.monotonic() - began:.0f} s")), flush=True)
    finally:
        record(recorded() | found)
    survived = list(found.values()).count(SURVIVED)
    print(f"{len(found) - survived} of {len(found)} faults killed")
    assert not survived, f"{survived} faults survived"


def recorded() -> dict[Row, str]:
    """The outcomes on record, of faults that are still in the list; running some of them renews theirs."""
    listed = {fault.row for fault in faults()}
    if not RECORD.exists():
        return {}
    with RECORD.open(encoding="utf-8", newline="") as file:
        rows = {(file, old, new): outcome for file, old, new, outcome in csv.reader(file)}
    return {row: outcome for row, outcome in rows.items() if row in listed}


def record(outcomes: dict[Row, str]) -> None:
    """Writes the record, and the table of what it says of each file."""
    from table import publish  # which imports the project

    with RECORD.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows((*fault.row, outcomes[fault.row]) for fault in faults() if fault.row in outcomes)
    rows = []
    for name, (_, pairs) in LIST.items():
        known = [outcomes[name, old, new] for old, new in pairs if (name, old, new) in outcomes]
        survived = known.count(SURVIVED)
        rows.append((f"`{name}`", len(pairs), len(known) - survived, survived, len(pairs) - len(known)))
    total = (f"**{sum(column)}**" for column in list(zip(*rows, strict=True))[1:])
    head = ("file", "faults", "killed", "survived", "not tried")
    publish("faults", head, [*rows, ("**all**", *total)], packages=("pytest",))


if __name__ == "__main__":
    main(sys.argv[1:])
