; SPDX-License-Identifier: GPL-2.0-or-later
; Class entry, determination: two replays from the same state that accept records with the same values end in the same
; state, and the records have the same keys and compared values.
; 
; The assumptions and the negated goal: unsat means proved.
(set-logic QF_AUFBV)
(set-info :status unsat)
(declare-fun input.check-bits () (_ BitVec 64))
(declare-fun replay.assumes.one.kind () (_ BitVec 8))
(declare-fun guest.entry-kind () (_ BitVec 8))
(declare-fun replay.assumes.one.detail () (_ BitVec 32))
(declare-fun guest.entry-detail () (_ BitVec 32))
(declare-fun replay.assumes.one.check () (_ BitVec 16))
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
(declare-fun replay.assumes.two.kind () (_ BitVec 8))
(declare-fun replay.assumes.two.detail () (_ BitVec 32))
(declare-fun replay.assumes.two.check () (_ BitVec 16))
(declare-fun guest.rbx () (_ BitVec 64))
(declare-fun guest.rdx () (_ BitVec 64))
(declare-fun guest.raised () (_ BitVec 1))
(declare-fun guest.msr-result () (_ BitVec 8))
(declare-fun guest.ended () (_ BitVec 1))
(declare-fun guest.ordinal () (_ BitVec 64))
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
(assert (bvule input.check-bits #x0000000000000010))
; not the goal: determination
(assert (let ((a!1 (bvlshr (mix guest.regs-hash guest.rip guest.rsp guest.rax guest.rcx)
                   (bvsub (bvadd (bvxor input.check-bits input.check-bits)
                                 #x0000000000000040)
                          input.check-bits))))
(let ((a!2 (and (= replay.assumes.one.kind guest.entry-kind)
                (= replay.assumes.one.detail guest.entry-detail)
                (= replay.assumes.one.check ((_ extract 15 0) a!1))
                (= replay.assumes.two.kind guest.entry-kind)
                (= replay.assumes.two.detail guest.entry-detail)
                (= replay.assumes.two.check ((_ extract 15 0) a!1)))))
(let ((a!3 (and true
                (=> a!2 (= replay.assumes.one.kind replay.assumes.two.kind))
                (=> a!2 (= replay.assumes.one.check replay.assumes.two.check))
                (=> a!2 (= replay.assumes.one.detail replay.assumes.two.detail))
                (=> a!2 (= guest.rax guest.rax))
                (=> a!2 (= guest.rbx guest.rbx))
                (=> a!2 (= guest.rcx guest.rcx))
                (=> a!2 (= guest.rdx guest.rdx))
                (=> a!2 (= guest.rip guest.rip))
                (=> a!2 (= guest.rsp guest.rsp))
                (=> a!2 (= guest.raised guest.raised))
                (=> a!2 (= guest.msr-result guest.msr-result))
                (=> a!2 (= guest.ended guest.ended))
                (=> a!2 (= guest.entry-kind guest.entry-kind))
                (=> a!2 (= guest.entry-detail guest.entry-detail))
                (=> a!2
                    (= (bvadd guest.ordinal #x0000000000000001)
                       (bvadd guest.ordinal #x0000000000000001)))
                (=> a!2
                    (= (mix guest.regs-hash
                            guest.rip
                            guest.rsp
                            guest.rax
                            guest.rcx)
                       (mix guest.regs-hash
                            guest.rip
                            guest.rsp
                            guest.rax
                            guest.rcx)))
                (=> a!2 (= guest.branches guest.branches))
                (=> a!2 (= guest.branches-total guest.branches-total))
                (=> a!2 (= guest.last-branch guest.last-branch))
                (=> a!2 (= guest.boundary guest.boundary))
                (=> a!2 (= guest.memory-digest guest.memory-digest))
                (=> a!2 (= guest.frames guest.frames))
                (=> a!2 (= guest.digest-due guest.digest-due))
                (=> a!2 (= guest.end-reason guest.end-reason))
                (=> a!2 (= guest.end-code guest.end-code))
                (=> a!2
                    (= (select guest.memory any-index.memory)
                       (select guest.memory any-index.memory)))
                (=> a!2
                    (= (select guest.console any-index.console)
                       (select guest.console any-index.console)))
                (=> a!2
                    (= (select guest.xenstore any-index.xenstore)
                       (select guest.xenstore any-index.xenstore)))
                (=> a!2
                    (= (select guest.shared-info any-index.shared-info)
                       (select guest.shared-info any-index.shared-info)))
                (=> a!2
                    (= (select guest.pending any-index.pending)
                       (select guest.pending any-index.pending)))
                (=> a!2
                    (= (select guest.applied any-index.applied)
                       (select guest.applied any-index.applied)))
                (=> a!2
                    (= (select guest.printed any-index.printed)
                       (select guest.printed any-index.printed))))))
  (not a!3)))))
(check-sat)
