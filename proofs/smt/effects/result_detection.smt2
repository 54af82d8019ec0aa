; SPDX-License-Identifier: GPL-2.0-or-later
; Class result, detection: a replay in any state that accepts the record has the same keys and compared values.
; 
; The assumptions and the negated goal: unsat means proved.
(set-logic QF_AUFBV)
(set-info :status unsat)
(declare-fun guest.rax () (_ BitVec 64))
(declare-fun other.rax () (_ BitVec 64))
; possible: what the recording side guarantees of inputs and keys
(assert (and (bvult guest.rax #x0000000000000040) (bvult other.rax #x0000000000000040)))
; not the goal: detection
(assert (let ((a!1 (=> (= ((_ extract 7 0) guest.rax) ((_ extract 7 0) other.rax))
               (and (= guest.rax other.rax)
                    (= ((_ extract 7 0) guest.rax) ((_ extract 7 0) guest.rax))))))
  (not (and true a!1))))
(check-sat)
