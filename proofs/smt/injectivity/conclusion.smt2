; SPDX-License-Identifier: GPL-2.0-or-later
; The invariant of the two step proofs gives C4: a later place where effects may be applied has another name.
; 
; The assumptions and the negated goal: unsat means proved.
(set-logic QF_BV)
(set-info :status unsat)
(declare-fun p.position () (_ BitVec 64))
(declare-fun record.position () (_ BitVec 64))
(declare-fun p.n () (_ BitVec 64))
(declare-fun record.n () (_ BitVec 64))
(declare-fun p.b () (_ BitVec 64))
(declare-fun record.b () (_ BitVec 64))
(declare-fun record.point () Bool)
; invariant: this place is p, or is later and has a later name, or p's name but no effect may be applied
(assert (let ((a!1 (or (bvult p.n record.n)
               (and (= p.n record.n) (bvult p.b record.b))
               (and (and (= p.n record.n) (= p.b record.b)) (not record.point)))))
  (or (and (= p.position record.position)
           (and (= p.n record.n) (= p.b record.b)))
      (and (bvult p.position record.position) a!1))))
; point: effects may be applied here
(assert record.point)
; later: this place is later than p
(assert (bvult p.position record.position))
; not the goal: the name is not p's
(assert (not (not (and (= p.n record.n) (= p.b record.b)))))
(check-sat)
