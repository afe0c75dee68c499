"""Makes survey.csv: 240 people who do not exist. The same each time: `python make_survey.py > survey.csv`."""

# ruff: noqa: S311  (nothing here is a secret)
import random

random.seed(2026)
print("region,district,sex,hours,member,wage")
for number in range(240):
    region = ("north", "south", "east")[number % 3]
    district = "island" if number in (30, 90, 150) else f"{region} {random.randint(1, 2)}"
    sex = random.choice(("f", "m"))
    hours = random.choice((20, 30, 35, 40))
    member = int(random.random() < 0.3 + 0.01 * (hours - 20))
    wage = round(random.gauss(12 * hours, 60) * 4 + 300 * member)
    print(region, district, sex, hours, member, wage, sep=",")
