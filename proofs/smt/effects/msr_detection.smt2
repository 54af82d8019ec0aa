; SPDX-License-Identifier: GPL-2.0-or-later
; Class msr, detection: a replay in any state that accepts the record has the same keys and compared values.
; 
; The assumptions and the negated goal: unsat means proved.
(set-logic QF_AUFBV)
(set-info :status unsat)
(declare-fun guest.msr-result () (_ BitVec 8))
(declare-fun other.msr-result () (_ BitVec 8))
(declare-fun guest.rcx () (_ BitVec 64))
(declare-fun other.rcx () (_ BitVec 64))
; possible: what the recording side guarantees of inputs and keys
(assert (and true true))
; not the goal: detection
(assert (let ((a!1 (=> (and (= guest.msr-result other.msr-result)
                    (= ((_ extract 31 0) guest.rcx)
                       ((_ extract 31 0) other.rcx)))
               (and (= guest.msr-result other.msr-result)
                    (= guest.msr-result guest.msr-result))))
      (a!2 (=> (and (= guest.msr-result other.msr-result)
                    (= ((_ extract 31 0) guest.rcx)
                       ((_ extract 31 0) other.rcx)))
               (and (= ((_ extract 31 0) guest.rcx)
                       ((_ extract 31 0) other.rcx))
                    (= ((_ extract 31 0) guest.rcx)
                       ((_ extract 31 0) guest.rcx))))))
  (not (and true a!1 a!2))))
(check-sat)
