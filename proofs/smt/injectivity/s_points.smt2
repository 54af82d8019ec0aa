; SPDX-License-Identifier: GPL-2.0-or-later
; S-points: if effects are applied only at the exits of entries, names never come again, with any counter or none
; (the place is named by the ordinal n alone).
; 
; The assumptions and the negated goal: unsat means proved.
(set-logic UFBV)
(set-info :status unsat)
(declare-sort State 0)
(declare-sort Hidden 0)
(declare-fun p.position () (_ BitVec 64))
(declare-fun record.position () (_ BitVec 64))
(declare-fun p.n () (_ BitVec 64))
(declare-fun record.n () (_ BitVec 64))
(declare-fun p.b () (_ BitVec 64))
(declare-fun record.b () (_ BitVec 64))
(declare-fun record.point () Bool)
(declare-fun boundary (State) Bool)
(declare-fun record.halted () Bool)
(declare-fun record.index () (_ BitVec 64))
(declare-fun recording.where ((_ BitVec 64)) (_ BitVec 64))
(declare-fun log.kind ((_ BitVec 64)) (_ BitVec 2))
(declare-fun record.state () State)
(declare-fun record.hidden () Hidden)
(declare-fun enters (State Hidden) Bool)
(declare-fun counted (State Hidden) Bool)
; invariant: this place is p, or is later and has a later name, or p's name but no effect may be applied
(assert (let ((a!1 (or (bvult p.n record.n)
               (and (= p.n record.n) (bvult p.b record.b))
               (and (and (= p.n record.n) (= p.b record.b)) (not record.point)))))
  (or (and (= p.position record.position)
           (and (= p.n record.n) (= p.b record.b)))
      (and (bvult p.position record.position) a!1))))
; bound: fewer than 2^64 - 1 steps, entries, and branches between two entries
(assert (and (bvult record.position #xffffffffffffffff)
     (bvult record.n #xffffffffffffffff)
     (bvult record.b #xffffffffffffffff)))
; s-points: effects are applied at exits of entries only
(assert (forall ((any0.State State)) (not (boundary any0.State))))
; not the goal: the invariant after one step of the guest
(assert (let ((a!1 (or record.halted
               (and (= (recording.where record.index) record.position)
                    (= (log.kind record.index) #b01))
               (and (= (recording.where record.index) record.position)
                    (= (log.kind record.index) #b10)))))
(let ((a!2 (ite a!1
                record.n
                (ite (enters record.state record.hidden)
                     (bvadd record.n #x0000000000000001)
                     record.n)))
      (a!3 (ite a!1
                record.b
                (ite (enters record.state record.hidden)
                     #x0000000000000000
                     (ite (counted record.state record.hidden)
                          (bvadd record.b #x0000000000000001)
                          record.b))))
      (a!5 (not (ite a!1
                     record.point
                     (or (enters record.state record.hidden)
                         (boundary record.state))))))
(let ((a!4 (and (= p.position
                   (ite a!1
                        record.position
                        (bvadd record.position #x0000000000000001)))
                (and (= p.n a!2) (= p.b a!3))))
      (a!6 (or (bvult p.n a!2)
               (and (= p.n a!2) (bvult p.b a!3))
               (and (and (= p.n a!2) (= p.b a!3)) a!5))))
(let ((a!7 (and (bvult p.position
                       (ite a!1
                            record.position
                            (bvadd record.position #x0000000000000001)))
                a!6)))
  (not (or a!4 a!7)))))))
(check-sat)
