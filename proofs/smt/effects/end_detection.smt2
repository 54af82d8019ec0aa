; SPDX-License-Identifier: GPL-2.0-or-later
; Class end, detection: a replay in any state that accepts the record has the same keys and compared values.
; 
; The assumptions and the negated goal: unsat means proved.
(set-logic QF_AUFBV)
(set-info :status unsat)
(declare-fun guest.end-reason () (_ BitVec 8))
(declare-fun other.end-reason () (_ BitVec 8))
(declare-fun guest.end-code () (_ BitVec 32))
(declare-fun other.end-code () (_ BitVec 32))
(declare-fun guest.ordinal () (_ BitVec 64))
(declare-fun other.ordinal () (_ BitVec 64))
(declare-fun guest.regs-hash () (_ BitVec 64))
(declare-fun other.regs-hash () (_ BitVec 64))
(declare-fun any-byte.applied () (_ BitVec 16))
(declare-fun guest.applied () (Array (_ BitVec 16) (_ BitVec 8)))
(declare-fun other.applied () (Array (_ BitVec 16) (_ BitVec 8)))
; possible: what the recording side guarantees of inputs and keys
(assert (and true true))
; not the goal: detection
(assert (let ((a!1 (and (= #x0080 #x0080)
                (=> (bvult any-byte.applied #x0080)
                    (= (select guest.applied any-byte.applied)
                       (select other.applied any-byte.applied))))))
(let ((a!2 (and (= guest.end-reason other.end-reason)
                (= guest.end-code other.end-code)
                (= guest.ordinal other.ordinal)
                (= guest.regs-hash other.regs-hash)
                a!1)))
(let ((a!3 (and true
                (=> a!2
                    (and (= guest.end-reason other.end-reason)
                         (= guest.end-reason guest.end-reason)))
                (=> a!2
                    (and (= guest.end-code other.end-code)
                         (= guest.end-code guest.end-code)))
                (=> a!2
                    (and (= guest.ordinal other.ordinal)
                         (= guest.ordinal guest.ordinal)))
                (=> a!2
                    (and (= guest.regs-hash other.regs-hash)
                         (= guest.regs-hash guest.regs-hash)))
                (=> a!2 a!1))))
  (not a!3)))))
(check-sat)
