module deliberation.io/deliberation

go 1.26.0
