"""B-DISTIL: progressive ensembles of small students, distilled from one large teacher, one boosting round at a time."""
