"Works that take turns, and what their times say: for the benchmarks that compare a few versions of one work."
import statistics
import time


def take_turns(works, num_turns, warm_up, now=time.process_time):
    "Name -> milliseconds of each turn (A B C A B C ...); the first `warm_up` turns are not counted."
    times = {name: [] for name in works}
    for _ in range(num_turns + warm_up):
        for name, work in works.items():
            start = now()
            work()
            times[name].append((now() - start) * 1e3)
    return {name: values[warm_up:] for name, values in times.items()}


def compare(times, reference, digits=1):
    "Medians of the times, rounded to `digits`, and medians and quartiles of the ratios to the reference."
    rows = {}
    for name, values in times.items():
        ratios = [value / other for value, other in zip(values, times[reference], strict=True)]
        rows[name] = dict(
            milliseconds=round(statistics.median(values), digits), ratio=round(statistics.median(ratios), 3),
            ratio_quartiles=[round(q, 3) for q in statistics.quantiles(ratios, n=4)[::2]])
    return rows
