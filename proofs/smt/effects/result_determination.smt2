; SPDX-License-Identifier: GPL-2.0-or-later
; Class result, determination: two replays from the same state that accept records with the same values end in the same
; state, and the records have the same keys and compared values.
; 
; The assumptions and the negated goal: unsat means proved.
(set-logic QF_AUFBV)
(set-info :status unsat)
(declare-fun guest.rax () (_ BitVec 64))
(declare-fun replay.assumes.one.hypercall () (_ BitVec 8))
(declare-fun replay.assumes.two.hypercall () (_ BitVec 8))
(declare-fun replay.assumes.value () (_ BitVec 64))
(declare-fun guest.rbx () (_ BitVec 64))
(declare-fun guest.rcx () (_ BitVec 64))
(declare-fun guest.rdx () (_ BitVec 64))
(declare-fun guest.rip () (_ BitVec 64))
(declare-fun guest.rsp () (_ BitVec 64))
(declare-fun guest.raised () (_ BitVec 1))
(declare-fun guest.msr-result () (_ BitVec 8))
(declare-fun guest.ended () (_ BitVec 1))
(declare-fun guest.entry-kind () (_ BitVec 8))
(declare-fun guest.entry-detail () (_ BitVec 32))
(declare-fun guest.ordinal () (_ BitVec 64))
(declare-fun guest.regs-hash () (_ BitVec 64))
(declare-fun guest.branches () (_ BitVec 64))
(declare-fun guest.branches-total () (_ BitVec 64))
(declare-fun guest.last-branch () (_ BitVec 64))
(declare-fun guest.boundary () (_ BitVec 8))
(declare-fun guest.memory-digest () (_ BitVec 64))
(declare-fun guest.frames () (_ BitVec 64))
(declare-fun guest.digest-due () (_ BitVec 8))
(declare-fun guest.end-reason () (_ BitVec 8))
(declare-fun guest.end-code () (_ BitVec 32))
(declare-fun guest.memory () (Array (_ BitVec 64) (_ BitVec 8)))
(declare-fun any-index.memory () (_ BitVec 64))
(declare-fun guest.console () (Array (_ BitVec 32) (_ BitVec 8)))
(declare-fun any-index.console () (_ BitVec 32))
(declare-fun guest.xenstore () (Array (_ BitVec 32) (_ BitVec 8)))
(declare-fun any-index.xenstore () (_ BitVec 32))
(declare-fun guest.shared-info () (Array (_ BitVec 32) (_ BitVec 8)))
(declare-fun any-index.shared-info () (_ BitVec 32))
(declare-fun guest.pending () (Array (_ BitVec 32) (_ BitVec 1)))
(declare-fun any-index.pending () (_ BitVec 32))
(declare-fun guest.applied () (Array (_ BitVec 16) (_ BitVec 8)))
(declare-fun any-index.applied () (_ BitVec 16))
(declare-fun guest.printed () (Array (_ BitVec 16) (_ BitVec 8)))
(declare-fun any-index.printed () (_ BitVec 16))
; possible: what the recording side guarantees of inputs and keys
(assert (bvult guest.rax #x0000000000000040))
; not the goal: determination
(assert (let ((a!1 (=> (and (= replay.assumes.one.hypercall ((_ extract 7 0) guest.rax))
                    (= replay.assumes.two.hypercall ((_ extract 7 0) guest.rax)))
               (= replay.assumes.one.hypercall replay.assumes.two.hypercall)))
      (a!2 (=> (and (= replay.assumes.one.hypercall ((_ extract 7 0) guest.rax))
                    (= replay.assumes.two.hypercall ((_ extract 7 0) guest.rax)))
               (= replay.assumes.value replay.assumes.value)))
      (a!3 (=> (and (= replay.assumes.one.hypercall ((_ extract 7 0) guest.rax))
                    (= replay.assumes.two.hypercall ((_ extract 7 0) guest.rax)))
               (= guest.rbx guest.rbx)))
      (a!4 (=> (and (= replay.assumes.one.hypercall ((_ extract 7 0) guest.rax))
                    (= replay.assumes.two.hypercall ((_ extract 7 0) guest.rax)))
               (= guest.rcx guest.rcx)))
      (a!5 (=> (and (= replay.assumes.one.hypercall ((_ extract 7 0) guest.rax))
                    (= replay.assumes.two.hypercall ((_ extract 7 0) guest.rax)))
               (= guest.rdx guest.rdx)))
      (a!6 (=> (and (= replay.assumes.one.hypercall ((_ extract 7 0) guest.rax))
                    (= replay.assumes.two.hypercall ((_ extract 7 0) guest.rax)))
               (= guest.rip guest.rip)))
      (a!7 (=> (and (= replay.assumes.one.hypercall ((_ extract 7 0) guest.rax))
                    (= replay.assumes.two.hypercall ((_ extract 7 0) guest.rax)))
               (= guest.rsp guest.rsp)))
      (a!8 (=> (and (= replay.assumes.one.hypercall ((_ extract 7 0) guest.rax))
                    (= replay.assumes.two.hypercall ((_ extract 7 0) guest.rax)))
               (= guest.raised guest.raised)))
      (a!9 (=> (and (= replay.assumes.one.hypercall ((_ extract 7 0) guest.rax))
                    (= replay.assumes.two.hypercall ((_ extract 7 0) guest.rax)))
               (= guest.msr-result guest.msr-result)))
      (a!10 (=> (and (= replay.assumes.one.hypercall
                        ((_ extract 7 0) guest.rax))
                     (= replay.assumes.two.hypercall
                        ((_ extract 7 0) guest.rax)))
                (= guest.ended guest.ended)))
      (a!11 (=> (and (= replay.assumes.one.hypercall
                        ((_ extract 7 0) guest.rax))
                     (= replay.assumes.two.hypercall
                        ((_ extract 7 0) guest.rax)))
                (= guest.entry-kind guest.entry-kind)))
      (a!12 (=> (and (= replay.assumes.one.hypercall
                        ((_ extract 7 0) guest.rax))
                     (= replay.assumes.two.hypercall
                        ((_ extract 7 0) guest.rax)))
                (= guest.entry-detail guest.entry-detail)))
      (a!13 (=> (and (= replay.assumes.one.hypercall
                        ((_ extract 7 0) guest.rax))
                     (= replay.assumes.two.hypercall
                        ((_ extract 7 0) guest.rax)))
                (= guest.ordinal guest.ordinal)))
      (a!14 (=> (and (= replay.assumes.one.hypercall
                        ((_ extract 7 0) guest.rax))
                     (= replay.assumes.two.hypercall
                        ((_ extract 7 0) guest.rax)))
                (= guest.regs-hash guest.regs-hash)))
      (a!15 (=> (and (= replay.assumes.one.hypercall
                        ((_ extract 7 0) guest.rax))
                     (= replay.assumes.two.hypercall
                        ((_ extract 7 0) guest.rax)))
                (= guest.branches guest.branches)))
      (a!16 (=> (and (= replay.assumes.one.hypercall
                        ((_ extract 7 0) guest.rax))
                     (= replay.assumes.two.hypercall
                        ((_ extract 7 0) guest.rax)))
                (= guest.branches-total guest.branches-total)))
      (a!17 (=> (and (= replay.assumes.one.hypercall
                        ((_ extract 7 0) guest.rax))
                     (= replay.assumes.two.hypercall
                        ((_ extract 7 0) guest.rax)))
                (= guest.last-branch guest.last-branch)))
      (a!18 (=> (and (= replay.assumes.one.hypercall
                        ((_ extract 7 0) guest.rax))
                     (= replay.assumes.two.hypercall
                        ((_ extract 7 0) guest.rax)))
                (= guest.boundary guest.boundary)))
      (a!19 (=> (and (= replay.assumes.one.hypercall
                        ((_ extract 7 0) guest.rax))
                     (= replay.assumes.two.hypercall
                        ((_ extract 7 0) guest.rax)))
                (= guest.memory-digest guest.memory-digest)))
      (a!20 (=> (and (= replay.assumes.one.hypercall
                        ((_ extract 7 0) guest.rax))
                     (= replay.assumes.two.hypercall
                        ((_ extract 7 0) guest.rax)))
                (= guest.frames guest.frames)))
      (a!21 (=> (and (= replay.assumes.one.hypercall
                        ((_ extract 7 0) guest.rax))
                     (= replay.assumes.two.hypercall
                        ((_ extract 7 0) guest.rax)))
                (= guest.digest-due guest.digest-due)))
      (a!22 (=> (and (= replay.assumes.one.hypercall
                        ((_ extract 7 0) guest.rax))
                     (= replay.assumes.two.hypercall
                        ((_ extract 7 0) guest.rax)))
                (= guest.end-reason guest.end-reason)))
      (a!23 (=> (and (= replay.assumes.one.hypercall
                        ((_ extract 7 0) guest.rax))
                     (= replay.assumes.two.hypercall
                        ((_ extract 7 0) guest.rax)))
                (= guest.end-code guest.end-code)))
      (a!24 (=> (and (= replay.assumes.one.hypercall
                        ((_ extract 7 0) guest.rax))
                     (= replay.assumes.two.hypercall
                        ((_ extract 7 0) guest.rax)))
                (= (select guest.memory any-index.memory)
                   (select guest.memory any-index.memory))))
      (a!25 (=> (and (= replay.assumes.one.hypercall
                        ((_ extract 7 0) guest.rax))
                     (= replay.assumes.two.hypercall
                        ((_ extract 7 0) guest.rax)))
                (= (select guest.console any-index.console)
                   (select guest.console any-index.console))))
      (a!26 (=> (and (= replay.assumes.one.hypercall
                        ((_ extract 7 0) guest.rax))
                     (= replay.assumes.two.hypercall
                        ((_ extract 7 0) guest.rax)))
                (= (select guest.xenstore any-index.xenstore)
                   (select guest.xenstore any-index.xenstore))))
      (a!27 (=> (and (= replay.assumes.one.hypercall
                        ((_ extract 7 0) guest.rax))
                     (= replay.assumes.two.hypercall
                        ((_ extract 7 0) guest.rax)))
                (= (select guest.shared-info any-index.shared-info)
                   (select guest.shared-info any-index.shared-info))))
      (a!28 (=> (and (= replay.assumes.one.hypercall
                        ((_ extract 7 0) guest.rax))
                     (= replay.assumes.two.hypercall
                        ((_ extract 7 0) guest.rax)))
                (= (select guest.pending any-index.pending)
                   (select guest.pending any-index.pending))))
      (a!29 (=> (and (= replay.assumes.one.hypercall
                        ((_ extract 7 0) guest.rax))
                     (= replay.assumes.two.hypercall
                        ((_ extract 7 0) guest.rax)))
                (= (select guest.applied any-index.applied)
                   (select guest.applied any-index.applied))))
      (a!30 (=> (and (= replay.assumes.one.hypercall
                        ((_ extract 7 0) guest.rax))
                     (= replay.assumes.two.hypercall
                        ((_ extract 7 0) guest.rax)))
                (= (select guest.printed any-index.printed)
                   (select guest.printed any-index.printed)))))
  (not (and true
            a!1
            a!2
            a!3
            a!4
            a!5
            a!6
            a!7
            a!8
            a!9
            a!10
            a!11
            a!12
            a!13
            a!14
            a!15
            a!16
            a!17
            a!18
            a!19
            a!20
            a!21
            a!22
            a!23
            a!24
            a!25
            a!26
            a!27
            a!28
            a!29
            a!30))))
(check-sat)
