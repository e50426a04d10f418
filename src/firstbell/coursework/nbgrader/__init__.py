"""Programs that make, prepare, execute and record notebooks with nbgrader; they run in containers of their own.

`check`, `restore`, `outputs` and `archive` need nothing but Python; `student`, `prepare`, `record`, `feedback` and
`grades` need nbgrader and see the course's gradebook; `execute` runs in the course's own image beside hostile code and
sees neither.
"""
