"""Who may do what: every act on every surface, tried by people of every kind.

`acts.py` makes the acts from the tables of the product itself, `actors.py` has the people, `trials.py` tries
an act and notes what came of it, and `table.py` writes it all down. `test_matrix.py` compares that with the
tables `service.txt`, `both.txt` and `personal.txt`. `python -m tests.matrix` writes these again.
"""
