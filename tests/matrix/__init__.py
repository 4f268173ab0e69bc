"""Tables of rights: who may do what. People of every kind try every act on every surface.

`acts.py` makes the acts from the product's own tables. `actors.py` has the people. `trials.py` tries an act
and notes the result. `table.py` writes the tables. `test_matrix.py` compares the results with the tables
`service.txt`, `both.txt` and `personal.txt`. `python -m tests.matrix` writes these three files again.
"""
