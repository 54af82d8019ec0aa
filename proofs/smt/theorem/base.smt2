; SPDX-License-Identifier: GPL-2.0-or-later
; The invariant holds at the start.
; 
; The assumptions and the negated goal: unsat means proved.
(set-logic UFBV)
(set-info :status unsat)
(declare-sort State 0)
(declare-fun record.start () State)
(declare-fun replay.start () State)
(declare-fun recording.name.n ((_ BitVec 64)) (_ BitVec 64))
(declare-fun recording.name.b ((_ BitVec 64)) (_ BitVec 64))
(declare-fun recording.injectable ((_ BitVec 64)) Bool)
(declare-fun recording.where ((_ BitVec 64)) (_ BitVec 64))
; C1: Recording and replay start in the same guest-visible state.
(assert (= record.start replay.start))
; named: position 0 has time point (0, 0) and is before the first injection point
(assert (and (= (recording.name.n #x0000000000000000) #x0000000000000000)
     (= (recording.name.b #x0000000000000000) #x0000000000000000)
     (not (recording.injectable #x0000000000000000))))
; not the goal: same state, same time point, same record
(assert (let ((a!1 (and (= record.start replay.start)
                (= #x0000000000000000 #x0000000000000000)
                (= #x0000000000000000 #x0000000000000000)
                (= #x0000000000000000 #x0000000000000000)
                (= false false)
                (= #x0000000000000000 #x0000000000000000)
                (= false false)
                (= (recording.name.n #x0000000000000000) #x0000000000000000)
                (= (recording.name.b #x0000000000000000) #x0000000000000000)
                (= (recording.injectable #x0000000000000000) false)
                (or false
                    (bvule #x0000000000000000
                           (recording.where #x0000000000000000))))))
  (not a!1)))
(check-sat)
