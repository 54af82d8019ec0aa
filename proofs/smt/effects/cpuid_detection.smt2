; SPDX-License-Identifier: GPL-2.0-or-later
; Class cpuid, detection: a replay in any state that accepts the record has the same keys and compared values.
; 
; The assumptions and the negated goal: unsat means proved.
(set-logic QF_AUFBV)
(set-info :status unsat)
(declare-fun guest.rax () (_ BitVec 64))
(declare-fun other.rax () (_ BitVec 64))
; possible: what the recording side guarantees of inputs and keys
(assert (and true true))
; not the goal: detection
(assert (let ((a!1 (=> (= ((_ extract 31 0) guest.rax) ((_ extract 31 0) other.rax))
               (and (= ((_ extract 31 0) guest.rax)
                       ((_ extract 31 0) other.rax))
                    (= ((_ extract 31 0) guest.rax)
                       ((_ extract 31 0) guest.rax))))))
  (not (and true a!1))))
(check-sat)
