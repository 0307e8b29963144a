"""Teachers: architectures by name (catalogue.py, zoo.py), saved ones (cards.py, weights.py), black boxes (black_box.py,
onnx_teacher.py), their logits (logits.py, kept.py).

Importing this package imports no torch.
"""

from bdistil.teachers.cards import card as card
from bdistil.teachers.cards import card_for as card_for
from bdistil.teachers.cards import card_of as card_of
from bdistil.teachers.cards import cards as cards
from bdistil.teachers.cards import cards_for as cards_for
