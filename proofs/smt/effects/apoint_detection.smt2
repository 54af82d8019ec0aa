; SPDX-License-Identifier: GPL-2.0-or-later
; Class apoint, detection: a replay in any state that accepts the record has the same keys and compared values.
; 
; The assumptions and the negated goal: unsat means proved.
(set-logic QF_AUFBV)
(set-info :status unsat)
(declare-fun guest.boundary () (_ BitVec 8))
(declare-fun other.boundary () (_ BitVec 8))
(declare-fun guest.branches () (_ BitVec 64))
(declare-fun other.branches () (_ BitVec 64))
(declare-fun guest.rip () (_ BitVec 64))
(declare-fun other.rip () (_ BitVec 64))
(declare-fun guest.regs-hash () (_ BitVec 64))
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
(declare-fun other.rsp () (_ BitVec 64))
(declare-fun other.rax () (_ BitVec 64))
(declare-fun other.rcx () (_ BitVec 64))
(declare-fun any-byte.state () (_ BitVec 16))
(declare-fun guest.last-branch () (_ BitVec 64))
(declare-fun other.last-branch () (_ BitVec 64))
; possible: what the recording side guarantees of inputs and keys
(assert (and (or (= guest.boundary #x01) (= guest.boundary #x02))
     (or (= other.boundary #x01) (= other.boundary #x02))))
; not the goal: detection
(assert (let ((a!1 (= (mix guest.regs-hash guest.rip guest.rsp guest.rax guest.rcx)
              (mix other.regs-hash other.rip other.rsp other.rax other.rcx)))
      (a!2 (concat guest.rsp
                   (concat guest.rcx
                           (ite (= guest.boundary #x01)
                                guest.last-branch
                                #x0000000000000000))))
      (a!4 (concat other.rsp
                   (concat other.rcx
                           (ite (= other.boundary #x01)
                                other.last-branch
                                #x0000000000000000)))))
(let ((a!3 ((_ extract 7 0)
             (bvlshr a!2
                     (bvshl ((_ zero_extend 176) any-byte.state)
                            #x000000000000000000000000000000000000000000000003))))
      (a!5 ((_ extract 7 0)
             (bvlshr a!4
                     (bvshl ((_ zero_extend 176) any-byte.state)
                            #x000000000000000000000000000000000000000000000003)))))
(let ((a!6 (and (= #x0018 #x0018)
                (=> (bvult any-byte.state #x0018) (= a!3 a!5)))))
(let ((a!7 (and (= guest.boundary other.boundary)
                (= guest.branches other.branches)
                (= guest.rip other.rip)
                a!1
                a!6)))
  (not (and true
            (=> a!7 (= guest.boundary other.boundary))
            (=> a!7 (= guest.branches other.branches))
            (=> a!7 (= guest.rip other.rip))
            (=> a!7 a!1)
            (=> a!7 a!6))))))))
(check-sat)
