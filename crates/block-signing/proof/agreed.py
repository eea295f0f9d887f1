#!/usr/bin/env python3
"""Machine-checked safety of `agreed`, and of its rounds, by an inductive invariant.

For every N and M with 2M > N, any number of rounds and of heights (each height is one such
protocol), and up to 2M - N - 1 liars. Needs z3's Python binding (Debian: python3-z3):

    python3 crates/block-signing/proof/agreed.py

Quorums are abstract sets of M operators: the only assumption about M, N and the number of liars is
that any two quorums share an honest operator. The claims about rounds need less: that every quorum
has an honest member, which holds for up to N - M liars. Liars' votes are not modelled: a quorum
needs only those of its honest members, so liars may send anything, to anyone, at any time.

The rules are those of docs/protocol.md. Whatever only makes an operator do less is left out:
timeouts, verdicts of nodes, lost messages (each transition may happen at any time or never). A
restart (R26) does not change this state, all of which is recorded before it is sent (R25).

Prints a line for each obligation; `unsat` means that it holds. `--break=RULE` leaves a rule out,
and some obligation must then fail: quorum, lock, memory, proof, rounds, alone.
"""

import sys
import time

from z3 import (And, BoolSort, BoolVal, Const, Consts, DeclareSort, Exists, ForAll, Function,
                Implies, Not, Or, Solver, sat, unknown, unsat)

BREAKABLE = ('quorum', 'lock', 'memory', 'proof', 'rounds', 'alone')
BREAK = next((a.removeprefix('--break=') for a in sys.argv[1:] if a.startswith('--break=')), None)
if BREAK is not None and BREAK not in BREAKABLE:
    sys.exit(f'--break takes one of {", ".join(BREAKABLE)}')

Op, Quorum, Round, Value = (DeclareSort(x) for x in ('Operator', 'Quorum', 'Round', 'Value'))
B = BoolSort()
nil = Const('nil', Value)
honest = Function('honest', Op, B)
member = Function('member', Op, Quorum, B)
le = Function('le', Round, Round, B)
o, q1, q2 = Const('o', Op), Const('q1', Quorum), Const('q2', Quorum)
r, s, t = Consts('r s t', Round)
v, w = Consts('v w', Value)


def lt(a, b):
    return And(le(a, b), a != b)


total_order = [
    ForAll([r], le(r, r)),
    ForAll([r, s, t], Implies(And(le(r, s), le(s, t)), le(r, t))),
    ForAll([r, s], Implies(And(le(r, s), le(s, r)), r == s)),
    ForAll([r, s], Or(le(r, s), le(s, r))),
]
# Up to 2M - N - 1 liars: any two quorums share an honest operator.
shared = Function('shared', Quorum, Quorum, Op)
two_meet = [ForAll([q1, q2], And(honest(shared(q1, q2)), member(shared(q1, q2), q1),
                                 member(shared(q1, q2), q2)))]
# Up to N - M liars: every quorum has an honest member.
some = Function('some', Quorum, Op)
each_has_one = [ForAll([q1], And(honest(some(q1)), member(some(q1), q1)))]
if BREAK == 'quorum':
    two_meet = each_has_one
if BREAK == 'alone':
    each_has_one = []


class State:
    """The votes of honest operators, the rounds they have left, and what quorums have shown."""

    def __init__(self, name):
        self.prevote = Function('prevote' + name, Op, Round, Value, B)
        self.precommit = Function('precommit' + name, Op, Round, Value, B)
        self.left = Function('left' + name, Op, Round, B)
        self.proof = Function('proof' + name, Round, Value, B)  # a proof of lock can be shown
        self.over = Function('over' + name, Round, B)  # a round certificate can be shown

    def relations(self):
        return {
            'prevote': (self.prevote, [o, r, v]),
            'precommit': (self.precommit, [o, r, v]),
            'left': (self.left, [o, r]),
            'proof': (self.proof, [r, v]),
            'over': (self.over, [r]),
        }


def all_prevoted(state, q, round_, value):
    return ForAll([o], Implies(And(member(o, q), honest(o)), state.prevote(o, round_, value)))


def all_precommitted(state, q, round_):
    voted = Exists([v], state.precommit(o, round_, v))
    return ForAll([o], Implies(And(member(o, q), honest(o)), voted))


def votes(state, who, round_, value):
    return Or(state.prevote(who, round_, value), state.precommit(who, round_, value))


def invariant(x):
    return {
        'one prevote': ForAll([o, r, v, w], Implies(
            And(honest(o), x.prevote(o, r, v), x.prevote(o, r, w)), v == w)),
        'one precommit': ForAll([o, r, v, w], Implies(
            And(honest(o), x.precommit(o, r, v), x.precommit(o, r, w)), v == w)),
        'a proof of lock has a quorum': ForAll([r, v], Implies(
            x.proof(r, v), And(v != nil, Exists([q1], all_prevoted(x, q1, r, v))))),
        'a precommit has a proof of lock': ForAll([o, r, v], Implies(
            And(honest(o), x.precommit(o, r, v), v != nil), x.proof(r, v))),
        'rounds are left for good': ForAll([o, r, s], Implies(
            And(x.left(o, r), le(s, r)), x.left(o, s))),
        'a voter has left the rounds before': ForAll([o, r, s, v], Implies(
            And(honest(o), votes(x, o, r, v), lt(s, r)), x.left(o, s))),
        'a vote against the lock has a proof': ForAll([o, r, s, v, w], Implies(
            And(honest(o), x.precommit(o, r, v), v != nil, x.prevote(o, s, w), w != nil, v != w,
                lt(r, s)),
            Exists([t], And(le(r, t), lt(t, s), x.proof(t, w))))),
        'no proof against what may be decided': ForAll([q1, r, s, v, w], Implies(
            And(lt(r, s), v != w, v != nil, x.proof(s, w)),
            Exists([o], And(member(o, q1), honest(o), x.left(o, r),
                            Not(x.precommit(o, r, v)))))),
    }


def round_invariant(x):
    return {
        'a round that is over has a quorum': ForAll([r], Implies(
            x.over(r), Exists([q1], all_precommitted(x, q1, r)))),
        'an operator leaves a round when it or a later one is over': ForAll([o, r], Implies(
            And(honest(o), x.left(o, r)), Exists([s], And(le(r, s), x.over(s))))),
    }


a, b = State('0'), State('1')
O, R, V, Q = Const('O', Op), Const('R', Round), Const('V', Value), Const('Q', Quorum)
LR, PR, LV = Const('LR', Round), Const('PR', Round), Const('LV', Value)


def only(changed):
    """All relations except one are unchanged."""
    before, after = a.relations(), b.relations()
    return [ForAll(args, after[name][0](*args) == before[name][0](*args))
            for name, (_, args) in before.items() if name != changed]


def add(name, args, where):
    before, after = a.relations()[name][0], b.relations()[name][0]
    return [ForAll(args, after(*args) == Or(before(*args), where)), *only(name)]


def vote(name):
    return add(name, [o, r, v], And(o == O, r == R, v == V))


in_round = [Not(a.left(O, R)), ForAll([r], Implies(lt(r, R), a.left(O, r)))]
no_prevote = ForAll([v], Not(a.prevote(O, R, v)))
no_precommit = ForAll([v], Not(a.precommit(O, R, v)))
unlocked = ForAll([r, v], Not(And(a.precommit(O, r, v), v != nil)))
locked = And(a.precommit(O, LR, LV), LV != nil,
             ForAll([r, v], Implies(And(a.precommit(O, r, v), v != nil), le(r, LR))))
free = Or(unlocked, And(locked, Or(LV == V, And(le(LR, PR), lt(PR, R), a.proof(PR, V)))))
if BREAK == 'lock':
    free = BoolVal(True)
if BREAK == 'proof':  # a proof older than the lock will do
    free = Or(unlocked, And(locked, Or(LV == V, And(lt(PR, R), a.proof(PR, V)))))

transitions = {
    'R6, R7: a prevote for a block':
        [honest(O), V != nil, *in_round, no_prevote, no_precommit, free, *vote('prevote')],
    'R5, R8: a prevote for nil':
        [honest(O), V == nil, *in_round, no_prevote, *vote('prevote')],
    'R9: a precommit for a block':
        [honest(O), V != nil, *([] if BREAK == 'memory' else in_round), no_precommit,
         a.proof(R, V), *vote('precommit')],
    'R10, R11: a precommit for nil':
        [honest(O), V == nil, *in_round, no_precommit, *vote('precommit')],
    'R12 to R15: a round, and those before it, are left':
        [honest(O), *([] if BREAK == 'rounds' else [a.over(R)]),
         *add('left', [o, r], And(o == O, le(r, R)))],
    'M prevotes for a block can be shown':
        [V != nil, all_prevoted(a, Q, R, V), *add('proof', [r, v], And(r == R, v == V))],
    'M precommits of a round can be shown':
        [all_precommitted(a, Q, R), *add('over', [r], r == R)],
}

failures = 0
began = time.time()


def ask(hypotheses, goal):
    """Asks z3, with another seed and a longer timeout whenever it finds nothing."""
    for seed, seconds in enumerate((2, 5, 10, 20, 40)):
        solver = Solver()
        solver.set('timeout', 1000 * seconds)
        solver.set('random_seed', seed)
        solver.add(*hypotheses)
        if goal is not None:
            solver.add(Not(goal))
        result = solver.check()
        if result != unknown:
            break
    return result


def check(name, hypotheses, goal, expected=unsat, fewer=None):
    """Asks first with fewer hypotheses, if given: what follows from them follows from all."""
    global failures
    at = time.time()
    result = ask(fewer, goal) if fewer is not None else None
    if result != expected:
        result = ask(hypotheses, goal)
    failures += result != expected
    print(f'{str(result):8}{time.time() - at:6.2f} s  {name}')


def decided(q, round_, value):
    return And(value != nil, ForAll([o], Implies(
        And(member(o, q), honest(o)), a.precommit(o, round_, value))))


safe = total_order + two_meet
holds = list(invariant(a).values())
round_holds = list(round_invariant(a).values())
everything = [f for relation, args in a.relations().values()
              for f in [ForAll(args, Not(relation(*args)))]]

for name, goal in {**invariant(a), **round_invariant(a)}.items():
    check(f'initially: {name}', safe + everything, goal)
for rule, step in transitions.items():
    for name, goal in invariant(b).items():
        check(f'{rule} keeps: {name}', safe + holds + step, goal,
              fewer=safe + [invariant(a)[name]] + step)
    for name, goal in round_invariant(b).items():
        # This does not need quorums to intersect.
        check(f'{rule} keeps: {name}', total_order + round_holds + step, goal)

r1, r2 = Consts('r1 r2', Round)
v1, v2 = Consts('v1 v2', Value)
qa, qb = Consts('qa qb', Quorum)
check('one decision in a round', safe + holds + [decided(qa, r1, v1), decided(qb, r1, v2)],
      v1 == v2)
check('a decision has a proof of lock', safe + holds + [decided(qa, r1, v1)], a.proof(r1, v1))
check('one decision, whatever the rounds',
      safe + [invariant(a)['no proof against what may be decided'], decided(qa, r1, v1),
              a.proof(r2, v2), v2 != nil, lt(r1, r2)],
      v1 == v2)
# R17: an honest operator signs only decided blocks; M signers include an honest one.
signed, is_decided = Function('signed', Op, Value, B), Function('is_decided', Value, B)
signing = [
    ForAll([o, v], Implies(And(honest(o), signed(o, v)), is_decided(v))),
    ForAll([v, w], Implies(And(is_decided(v), is_decided(w)), v == w)),
]


def complete(q, value):
    return ForAll([o], Implies(And(member(o, q), honest(o)), signed(o, value)))


check('no two blocks with M signatures', safe + signing + [complete(qa, v1), complete(qb, v2)],
      v1 == v2)
# Rounds, with up to N - M liars: no operator is led past a round in which no honest one voted.
check('a round is over only if an honest operator precommitted in it',
      total_order + each_has_one + round_holds + [a.over(r1)],
      Exists([o, v], And(honest(o), a.precommit(o, r1, v))))
check('an operator that has left a round follows one in which an honest operator precommitted',
      total_order + each_has_one + round_holds + [honest(O), a.left(O, r1)],
      Exists([o, s, v], And(honest(o), le(r1, s), a.precommit(o, s, v))))

if BREAK is None:
    print('-- not vacuous: these must be satisfiable')
    check('the invariant allows a decision', safe + holds + [decided(qa, r1, v1)], None, sat)
    for rule, step in transitions.items():
        check(f'reachable: {rule}', safe + holds + step, None, sat)

print(f'{failures} obligations fail, {time.time() - began:.1f} s')
if BREAK is None:
    sys.exit(failures > 0)
sys.exit(failures == 0)
