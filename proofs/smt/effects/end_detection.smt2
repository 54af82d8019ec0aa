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
(declare-fun guest.rip () (_ BitVec 64))
(declare-fun guest.rsp () (_ BitVec 64))
(declare-fun guest.rax () (_ BitVec 64))
(declare-fun guest.rcx () (_ BitVec 64))
(declare-fun mix
             ((_ BitVec 64)
              (_ BitVec 64)
              (_ BitVec 64)
              (_ BitVec 64)
              (_ BitVec 64))
             (_ BitVec 64))
(declare-fun other.regs-hash () (_ BitVec 64))
(declare-fun other.rip () (_ BitVec 64))
(declare-fun other.rsp () (_ BitVec 64))
(declare-fun other.rax () (_ BitVec 64))
(declare-fun other.rcx () (_ BitVec 64))
(declare-fun any-byte.applied () (_ BitVec 16))
(declare-fun guest.applied () (Array (_ BitVec 16) (_ BitVec 8)))
(declare-fun other.applied () (Array (_ BitVec 16) (_ BitVec 8)))
; possible: what the recording side guarantees of inputs and keys
(assert (and true true))
; not the goal: detection
(assert (let ((a!1 (ite (= guest.end-reason #x04)
                guest.regs-hash
                (mix guest.regs-hash guest.rip guest.rsp guest.rax guest.rcx)))
      (a!3 (and (= #x0080 #x0080)
                (=> (bvult any-byte.applied #x0080)
                    (= (select guest.applied any-byte.applied)
                       (select other.applied any-byte.applied))))))
(let ((a!2 (= a!1
              (ite (= other.end-reason #x04)
                   other.regs-hash
                   (mix other.regs-hash other.rip other.rsp other.rax other.rcx)))))
(let ((a!4 (and (= guest.end-reason other.end-reason)
                (= guest.end-code other.end-code)
                (= guest.ordinal other.ordinal)
                a!2
                a!3)))
(let ((a!5 (and true
                (=> a!4
                    (and (= guest.end-reason other.end-reason)
                         (= guest.end-reason guest.end-reason)))
                (=> a!4
                    (and (= guest.end-code other.end-code)
                         (= guest.end-code guest.end-code)))
                (=> a!4
                    (and (= guest.ordinal other.ordinal)
                         (= guest.ordinal guest.ordinal)))
                (=> a!4 (and a!2 (= a!1 a!1)))
                (=> a!4 a!3))))
  (not a!5))))))
(check-sat)
