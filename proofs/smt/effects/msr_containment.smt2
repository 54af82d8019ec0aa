; SPDX-License-Identifier: GPL-2.0-or-later
; Class msr, containment: a record with any content, if the replay accepts it, changes nothing but the parts that
; it is declared to write, and nothing past the end of a page or table.
; 
; The assumptions and the negated goal: unsat means proved.
(set-logic QF_AUFBV)
(set-info :status unsat)
(declare-fun replay.assumes.rc () (_ BitVec 8))
(declare-fun guest.msr-result () (_ BitVec 8))
(declare-fun replay.assumes.index () (_ BitVec 32))
(declare-fun guest.rcx () (_ BitVec 64))
(declare-fun guest.rbx () (_ BitVec 64))
(declare-fun guest.rip () (_ BitVec 64))
(declare-fun guest.rsp () (_ BitVec 64))
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
(assert true)
; not the goal: containment
(assert (let ((a!1 (=> (and (= replay.assumes.rc guest.msr-result)
                    (= replay.assumes.index ((_ extract 31 0) guest.rcx)))
               (= guest.rbx guest.rbx)))
      (a!2 (=> (and (= replay.assumes.rc guest.msr-result)
                    (= replay.assumes.index ((_ extract 31 0) guest.rcx)))
               (= guest.rcx guest.rcx)))
      (a!3 (=> (and (= replay.assumes.rc guest.msr-result)
                    (= replay.assumes.index ((_ extract 31 0) guest.rcx)))
               (= guest.rip guest.rip)))
      (a!4 (=> (and (= replay.assumes.rc guest.msr-result)
                    (= replay.assumes.index ((_ extract 31 0) guest.rcx)))
               (= guest.rsp guest.rsp)))
      (a!5 (=> (and (= replay.assumes.rc guest.msr-result)
                    (= replay.assumes.index ((_ extract 31 0) guest.rcx)))
               (= guest.msr-result guest.msr-result)))
      (a!6 (=> (and (= replay.assumes.rc guest.msr-result)
                    (= replay.assumes.index ((_ extract 31 0) guest.rcx)))
               (= guest.ended guest.ended)))
      (a!7 (=> (and (= replay.assumes.rc guest.msr-result)
                    (= replay.assumes.index ((_ extract 31 0) guest.rcx)))
               (= guest.entry-kind guest.entry-kind)))
      (a!8 (=> (and (= replay.assumes.rc guest.msr-result)
                    (= replay.assumes.index ((_ extract 31 0) guest.rcx)))
               (= guest.entry-detail guest.entry-detail)))
      (a!9 (=> (and (= replay.assumes.rc guest.msr-result)
                    (= replay.assumes.index ((_ extract 31 0) guest.rcx)))
               (= guest.ordinal guest.ordinal)))
      (a!10 (=> (and (= replay.assumes.rc guest.msr-result)
                     (= replay.assumes.index ((_ extract 31 0) guest.rcx)))
                (= guest.regs-hash guest.regs-hash)))
      (a!11 (=> (and (= replay.assumes.rc guest.msr-result)
                     (= replay.assumes.index ((_ extract 31 0) guest.rcx)))
                (= guest.branches guest.branches)))
      (a!12 (=> (and (= replay.assumes.rc guest.msr-result)
                     (= replay.assumes.index ((_ extract 31 0) guest.rcx)))
                (= guest.branches-total guest.branches-total)))
      (a!13 (=> (and (= replay.assumes.rc guest.msr-result)
                     (= replay.assumes.index ((_ extract 31 0) guest.rcx)))
                (= guest.last-branch guest.last-branch)))
      (a!14 (=> (and (= replay.assumes.rc guest.msr-result)
                     (= replay.assumes.index ((_ extract 31 0) guest.rcx)))
                (= guest.boundary guest.boundary)))
      (a!15 (=> (and (= replay.assumes.rc guest.msr-result)
                     (= replay.assumes.index ((_ extract 31 0) guest.rcx)))
                (= guest.memory-digest guest.memory-digest)))
      (a!16 (=> (and (= replay.assumes.rc guest.msr-result)
                     (= replay.assumes.index ((_ extract 31 0) guest.rcx)))
                (= guest.frames guest.frames)))
      (a!17 (=> (and (= replay.assumes.rc guest.msr-result)
                     (= replay.assumes.index ((_ extract 31 0) guest.rcx)))
                (= guest.digest-due guest.digest-due)))
      (a!18 (=> (and (= replay.assumes.rc guest.msr-result)
                     (= replay.assumes.index ((_ extract 31 0) guest.rcx)))
                (= guest.end-reason guest.end-reason)))
      (a!19 (=> (and (= replay.assumes.rc guest.msr-result)
                     (= replay.assumes.index ((_ extract 31 0) guest.rcx)))
                (= guest.end-code guest.end-code)))
      (a!20 (=> (and (= replay.assumes.rc guest.msr-result)
                     (= replay.assumes.index ((_ extract 31 0) guest.rcx)))
                (= (select guest.memory any-index.memory)
                   (select guest.memory any-index.memory))))
      (a!21 (=> (and (= replay.assumes.rc guest.msr-result)
                     (= replay.assumes.index ((_ extract 31 0) guest.rcx)))
                (= (select guest.console any-index.console)
                   (select guest.console any-index.console))))
      (a!22 (=> (and (= replay.assumes.rc guest.msr-result)
                     (= replay.assumes.index ((_ extract 31 0) guest.rcx)))
                (= (select guest.xenstore any-index.xenstore)
                   (select guest.xenstore any-index.xenstore))))
      (a!23 (=> (and (= replay.assumes.rc guest.msr-result)
                     (= replay.assumes.index ((_ extract 31 0) guest.rcx)))
                (= (select guest.shared-info any-index.shared-info)
                   (select guest.shared-info any-index.shared-info))))
      (a!24 (=> (and (= replay.assumes.rc guest.msr-result)
                     (= replay.assumes.index ((_ extract 31 0) guest.rcx)))
                (= (select guest.pending any-index.pending)
                   (select guest.pending any-index.pending))))
      (a!25 (=> (and (= replay.assumes.rc guest.msr-result)
                     (= replay.assumes.index ((_ extract 31 0) guest.rcx)))
                (= (select guest.applied any-index.applied)
                   (select guest.applied any-index.applied))))
      (a!26 (=> (and (= replay.assumes.rc guest.msr-result)
                     (= replay.assumes.index ((_ extract 31 0) guest.rcx)))
                (= (select guest.printed any-index.printed)
                   (select guest.printed any-index.printed)))))
  (not (and a!1
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
            a!26))))
(check-sat)
