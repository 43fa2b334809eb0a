"Schedules against their formulas, and optimizers against torch's, for any settings."
import math

import pytest
import torch
from holding import holds
from hypothesis import assume
from hypothesis import strategies as st

from fastcourse.training.optimizer import SGD, Adam, AdamW, RMSProp
from fastcourse.training.schedule import (
    anneal_cosine, anneal_exponential, anneal_linear, anneal_polynomial, combine, flat_cos, one_cycle, repeat_schedule,
    slanted, spread_lr, two_phases, use_clr)

RATES = st.floats(1e-8, 10)
SHARES = st.floats(0.01, 0.99)
PLACES = st.floats(0, 1)


def near(a, b, scale=1.0):
    return math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-12 * scale)


@holds(RATES, RATES, PLACES, st.floats(0.1, 5), few=60)
def test_annealers_are_their_formulas(start, end, p, power):
    expected = {
        anneal_linear: start + p * (end - start),
        anneal_cosine: end + (start - end) * (1 + math.cos(math.pi * p)) / 2,
        anneal_exponential: start * (end / start) ** p}
    for anneal, value in expected.items():
        assert math.isclose(anneal(start, end)(p), value, rel_tol=1e-6, abs_tol=1e-12)
    assert math.isclose(anneal_polynomial(start, end, power)(p), start + p**power * (end - start), rel_tol=1e-6,
                        abs_tol=1e-12)


@holds(RATES, RATES, st.lists(PLACES, min_size=2, max_size=6).map(sorted), few=60)
def test_annealers_go_from_end_to_end_and_never_back(start, end, places):
    for anneal in (anneal_linear, anneal_cosine, anneal_polynomial, anneal_exponential):
        schedule = anneal(start, end)
        assert near(schedule(0.0), start) and near(schedule(1.0), end)
        values = [schedule(p) for p in places]
        assert values == sorted(values, reverse=end < start) or math.isclose(min(values), max(values), rel_tol=1e-9)


@holds(RATES, SHARES, st.floats(1, 1e3), st.floats(1, 1e6), PLACES, few=60)
def test_one_cycle_is_two_half_waves(peak, warm_up, ratio, final_ratio, p):
    schedule = one_cycle(peak, warm_up, ratio, final_ratio)
    assert near(schedule(0.0), peak / ratio, peak) and near(schedule(1.0), peak / final_ratio, peak)
    assert near(schedule(warm_up), peak, peak)
    low, q = (peak / ratio, p / warm_up) if p < warm_up else (peak / final_ratio, (1 - p) / (1 - warm_up))
    assert math.isclose(schedule(p), low + (peak - low) * (1 - math.cos(math.pi * q)) / 2, rel_tol=1e-6,
                        abs_tol=1e-9 * peak)


@holds(st.integers(2, 400), st.integers(3, 300))
def test_slanted_is_the_formula_of_its_paper(num_steps, ratio):
    "Howard and Ruder 2018, §3.2, with T - 1 in place of T, so that the last step has the last rate."
    cut_frac, peak = 0.1, 0.01
    schedule, cut = slanted(peak, cut_frac, ratio), (num_steps - 1) * cut_frac
    for t in range(num_steps):
        p = t / cut if t < cut else 1 - (t - cut) / (cut * (1 / cut_frac - 1))
        assert math.isclose(schedule(t / (num_steps - 1)), peak * (1 + p * (ratio - 1)) / ratio, rel_tol=1e-6,
                            abs_tol=1e-9)


@holds(RATES, SHARES, SHARES, PLACES, st.integers(1, 6), few=60)
def test_nothing_jumps(peak, share, cut_div, p, num_cycles):
    "Within a cycle. Where one begins anew there may be a jump, but for the triangles, which end where they begin."
    q = min(1.0, p + 1e-7)
    for schedule in (one_cycle(peak, share), slanted(peak, share), flat_cos(peak, share),
                     two_phases(peak, 0, peak, share), use_clr(peak, 32, 1 / cut_div, num_cycles)):
        assert abs(schedule(q) - schedule(p)) <= 1e-4 * peak
        assert 0 <= schedule(p) <= peak * (1 + 1e-9)


@holds(RATES, st.integers(1, 8), PLACES, few=60)
def test_cycles_are_equal(peak, num_cycles, p):
    schedule = slanted(peak)
    repeated = repeat_schedule(schedule, num_cycles)
    for i in range(num_cycles):
        assert abs(repeated(min(1.0, (i + p) / num_cycles)) - schedule(p)) <= 1e-6 * peak


@holds(st.lists(st.integers(0, 100), min_size=1, max_size=6), PLACES)
def test_shares_decide_whose_turn_it_is(weights, p):
    assume(sum(weights))
    shares = [weight / sum(weights) for weight in weights]
    schedule = combine(shares, [lambda progress, i=i: i + progress for i in range(len(shares))])
    i, inner = int(schedule(p) - (schedule(p) == int(schedule(p)) and p == 1)), schedule(p)
    assert shares[min(i, len(shares) - 1)] > 0 or inner == int(inner)
    for outside in (-0.1, 1.1):
        with pytest.raises(ValueError, match=r"progress must be in \[0, 1\]"):
            schedule(outside)


@holds(RATES, st.integers(1, 12), st.floats(1, 10), few=60)
def test_rates_of_groups_are_a_factor_apart(lr, num_groups, factor):
    rates = spread_lr(lr, num_groups, factor)
    assert len(rates) == num_groups and rates[-1] == lr and rates == sorted(rates)
    assert all(math.isclose(b / a, factor, rel_tol=1e-9) for a, b in zip(rates, rates[1:]))


NUMBERS = st.lists(st.floats(-3, 3), min_size=3, max_size=3).map(lambda v: torch.tensor(v, dtype=torch.float64))


def after_steps(kind, weights, gradients, **settings):
    p = torch.nn.Parameter(weights.clone())
    opt = kind([p], **settings)
    for grad in gradients:
        p.grad = grad.clone()
        opt.step()
    return p.detach()


@holds(NUMBERS, st.lists(NUMBERS, min_size=1, max_size=4), st.floats(0, 0.3), st.floats(0, 0.99), st.floats(0, 0.99),
       st.floats(0, 0.5), few=4)
def test_steps_are_those_of_torch(weights, gradients, lr, momentum, beta, weight_decay):
    common = dict(lr=lr, weight_decay=weight_decay)
    pairs = [(SGD, torch.optim.SGD, dict(momentum=momentum)), (SGD, torch.optim.SGD, {}),
             (RMSProp, torch.optim.RMSprop, dict(alpha=beta)), (Adam, torch.optim.Adam, dict(betas=(momentum, beta))),
             (AdamW, torch.optim.AdamW, dict(betas=(momentum, beta)))]
    for ours, theirs, settings in pairs:
        found = after_steps(ours, weights, gradients, **common, **settings)
        expected = after_steps(theirs, weights, gradients, **common, **settings)
        torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-9)
