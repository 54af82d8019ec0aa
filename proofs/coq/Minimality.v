(* SPDX-License-Identifier: GPL-2.0-or-later *)
(* Each condition is needed: for each there is a machine and a log that meet the other five, and diverge. All but the one
   for C4 are the machine of Example.v with one part changed; the hidden state of the recording is always 0 and that of the
   replay always 1. *)
From Coq Require Import List Arith Bool Lia.
Import ListNotations.
From CASMotion Require Import Log Machine Conditions Sufficiency TimePoints Example.

Definition hidden_of_replay : list (nat * nat) := repeat (1, 1) 20.

(* To refute equivalence: compute both runs; they go through different states. *)
Lemma differ : forall (w : world) (N : naming w) (r : recorder w) (p : replayer w) s0 s0' script q hs,
  length script < length hs ->
  match recording N r s0 script q with
  | Some (es, l) => fst (replaying N p s0' hs l) <> es
  | None => False
  end -> ~ equivalent N r p s0 s0'.
Proof.
  intros w N r p s0 s0' script q hs Len D E. specialize (E script q).
  destruct (recording N r s0 script q) as [[es l]|]; [|exact D].
  apply D. rewrite (E es l eq_refl hs Len). reflexivity.
Qed.
Ltac refute script q hs := apply (differ _ _ _ _ _ _ script q hs); [cbn; lia|vm_compute; discriminate].

Theorem C1_needed : exists s0', C2 rec rep /\ C3 rec rep /\ C4 names rec boot /\ C5 rec rep /\ C6 rep /\
  ~ equivalent names rec rep boot s0'.
Proof.
  exists (Guest 0 1 2 0 0). (* something is left in memory from before *)
  repeat (split; [auto using C2_holds, C3_holds, C4_holds, C5_holds, C6_holds|]). refute script 0 hidden_of_replay.
Qed.

(* C2: a fault that only a stale TLB entry causes makes the guest enter Xen. *)
Definition stale_tlb : replayer w := Replayer w
  (fun s h => if (pc s =? 1) && (h =? 1) then Enters else next_of s)
  (fun s _ x => read_clock s x) (fun s _ x => bring s x) (fun s _ => s) (fun _ b l => matching b l).
Theorem C2_needed : @C1 w boot boot /\ C3 rec stale_tlb /\ C4 names rec boot /\ C5 rec stale_tlb /\ C6 stale_tlb /\
  ~ equivalent names rec stale_tlb boot boot.
Proof.
  split; [reflexivity|]. split; [exact C3_holds|]. split; [apply C4_holds|]. split; [repeat split|].
  split; [intros h b l; reflexivity|]. refute script 0 hidden_of_replay.
Qed.

(* C3: the clock's value is not in its record (synchronous); the effect's is not in its (asynchronous). *)
Definition forgets_clock : recorder w := Recorder w
  (fun s _ => next_of s) (fun s _ v => read_clock s v) (fun s _ e => bring s e) (fun s _ => s)
  (fun t _ _ _ => sync_record t 0) (fun t _ _ e => async_record t e) (fun l => l).
Theorem C3_sync_needed : @C1 w boot boot /\ C2 forgets_clock rep /\ C3_async forgets_clock rep /\ C4 names forgets_clock boot /\
  C5 forgets_clock rep /\ C6 rep /\ ~ equivalent names forgets_clock rep boot boot.
Proof.
  split; [reflexivity|]. split; [exact C2_holds|]. split; [exact (proj2 C3_holds)|]. split; [apply canonical_C4|].
  split; [repeat split|]. split; [exact C6_holds|].
  refute script 0 hidden_of_replay.
Qed.

Definition forgets_event : recorder w := Recorder w
  (fun s _ => next_of s) (fun s _ v => read_clock s v) (fun s _ e => bring s e) (fun s _ => s)
  (fun t _ _ v => sync_record t v) (fun _ _ _ _ => []) (fun l => l).
Theorem C3_async_needed : @C1 w boot boot /\ C2 forgets_event rep /\ C3_sync forgets_event rep /\ C4 names forgets_event boot /\
  C5 forgets_event rep /\ C6 rep /\ ~ equivalent names forgets_event rep boot boot.
Proof.
  split; [reflexivity|]. split; [exact C2_holds|]. split; [exact (proj1 C3_holds)|]. split; [apply canonical_C4|].
  split; [repeat split|]. split; [exact C6_holds|].
  refute script 0 hidden_of_replay.
Qed.

(* C4: names by (b, RIP, registers) in a loop without conditional branches. The effect strikes in the second lap; the replay
   delivers it in the first. *)
Definition loop_rep : replayer Loop.w := Replayer Loop.w
  (fun s _ => @Runs Loop.w (Loop.run s)) (fun s _ _ => s) (fun s _ x => Loop.hit s x) (fun s _ => s)
  (fun _ b l => matching b l).
Theorem C4_needed : @C1 Loop.w Loop.s0 Loop.s0 /\ C2 Loop.r loop_rep /\ C3 Loop.r loop_rep /\ C5 Loop.r loop_rep /\ C6 loop_rep /\
  ~ equivalent Loop.by_registers Loop.r loop_rep Loop.s0 Loop.s0.
Proof.
  split; [reflexivity|]. split; [intros s h h'; reflexivity|]. split.
  { split; [intros t s h v; exists 0|intros t s h e; exists e]; split; reflexivity. }
  split; [repeat split|]. split; [intros h b l; reflexivity|].
  refute [Loop.go; Loop.go; Loop.go; Loop.go; @Hit Loop.w tt tt 7; Loop.go] tt (repeat (tt, tt) 20).
Qed.

(* C5: a back end writes into the guest's memory between two steps (in the recording; in the replay); the daemon exchanges
   two records. *)
Definition back_end_writes (s : guest) : guest := if pc s =? 2 then bring s 3 else s.
Definition disturbed_rec : recorder w := Recorder w
  (fun s _ => next_of s) (fun s _ v => read_clock s v) (fun s _ e => bring s e) (fun s _ => back_end_writes s)
  (fun t _ _ v => sync_record t v) (fun t _ _ e => async_record t e) (fun l => l).
Theorem C5_record_needed : @C1 w boot boot /\ C2 disturbed_rec rep /\ C3 disturbed_rec rep /\ C4 names disturbed_rec boot /\
  C5_replay rep /\ C5_order disturbed_rec /\ C6 rep /\ ~ equivalent names disturbed_rec rep boot boot.
Proof.
  split; [reflexivity|]. split; [exact C2_holds|]. split; [exact C3_holds|]. split; [apply canonical_C4|].
  split; [intros s q; reflexivity|]. split; [intros l; reflexivity|]. split; [exact C6_holds|].
  refute script 0 hidden_of_replay.
Qed.

Definition disturbed_rep : replayer w := Replayer w
  (fun s _ => next_of s) (fun s _ x => read_clock s x) (fun s _ x => bring s x) (fun s _ => back_end_writes s)
  (fun _ b l => matching b l).
Theorem C5_replay_needed : @C1 w boot boot /\ C2 rec disturbed_rep /\ C3 rec disturbed_rep /\ C4 names rec boot /\
  C5_record rec /\ C5_order rec /\ C6 disturbed_rep /\ ~ equivalent names rec disturbed_rep boot boot.
Proof.
  split; [reflexivity|]. split; [exact C2_holds|]. split; [exact C3_holds|]. split; [apply canonical_C4|].
  split; [intros s q; reflexivity|]. split; [intros l; reflexivity|]. split; [intros h b l; reflexivity|].
  refute script 0 hidden_of_replay.
Qed.

Definition swap (l : log w) : log w := match l with a :: b :: l' => b :: a :: l' | _ => l end.
Definition reordering : recorder w := Recorder w
  (fun s _ => next_of s) (fun s _ v => read_clock s v) (fun s _ e => bring s e) (fun s _ => s)
  (fun t _ _ v => sync_record t v) (fun t _ _ e => async_record t e) swap.
Theorem C5_order_needed : @C1 w boot boot /\ C2 reordering rep /\ C3 reordering rep /\ C4 names reordering boot /\
  C5_record reordering /\ C5_replay rep /\ C6 rep /\ ~ equivalent names reordering rep boot boot.
Proof.
  split; [reflexivity|]. split; [exact C2_holds|]. split; [exact C3_holds|]. split; [apply canonical_C4|].
  split; [intros s q; reflexivity|]. split; [intros s q; reflexivity|]. split; [exact C6_holds|].
  refute script 0 hidden_of_replay.
Qed.

(* C6: the replay delivers an effect at the next injection point whatever its name; or it misses the place (the counter's
   overflow interrupt came late) and runs past it. *)
Definition early (b : option (point w)) (l : log w) : decision :=
  match b, l with Some _, {| what := Async _ |} :: _ => Inject | _, _ => matching b l end.
Definition late (b : option (point w)) (l : log w) : decision :=
  match b, l with Some (_, S _), {| what := Async _ |} :: _ => LetRun | _, _ => matching b l end.
Definition rep_that (decide : option (point w) -> log w -> decision) : replayer w := Replayer w
  (fun s _ => next_of s) (fun s _ x => read_clock s x) (fun s _ x => bring s x) (fun s _ => s) (fun _ => decide).
Theorem C6_needed_early : @C1 w boot boot /\ C2 rec (rep_that early) /\ C3 rec (rep_that early) /\ C4 names rec boot /\
  C5 rec (rep_that early) /\ ~ equivalent names rec (rep_that early) boot boot.
Proof.
  split; [reflexivity|]. split; [exact C2_holds|]. split; [exact C3_holds|]. split; [apply C4_holds|].
  split; [repeat split|]. refute script 0 hidden_of_replay.
Qed.
Theorem C6_needed_late : @C1 w boot boot /\ C2 rec (rep_that late) /\ C3 rec (rep_that late) /\ C4 names rec boot /\
  C5 rec (rep_that late) /\ ~ equivalent names rec (rep_that late) boot boot.
Proof.
  split; [reflexivity|]. split; [exact C2_holds|]. split; [exact C3_holds|]. split; [apply C4_holds|].
  split; [repeat split|]. refute script 0 hidden_of_replay.
Qed.

(* --- A rule for places named by state --- *)

(* Such a name must be used up by the first delivery. Otherwise even the FULL state as a name is not enough, where the guest
   comes back to the state in which an effect struck: "1: movl $0, (mem); jmp 1b". The second effect is delivered together
   with the first. *)
Module UsedTwice.
  Definition point := (time * (bool * nat))%type.
  Definition point_dec : forall a b : point, {a = b} + {a <> b}.
  Proof. repeat decide equality. Defined.
  Definition w : world := World (bool * nat) unit unit nat nat point point_dec.
  Definition by_full_state : naming w := Naming w
    time (0, 0) (fun _ k => k) (fun _ k => (1 + fst k, 0)) (fun s k => (1 + fst k, 0, s))
    (fun s k => Some (k, s)) (fun t => Some t). (* the last one is the mistake; it should be None *)
  Definition run (s : bool * nat) : bool * nat := if fst s then (false, snd s) else (true, 0).
  Definition r : recorder w := Recorder w
    (fun s _ => @Runs w (run s)) (fun s _ _ => s) (fun s _ e => (fst s, snd s + e)) (fun s _ => s)
    (fun t _ _ _ => [@Entry w t (@Sync w 0)]) (fun t _ _ e => [@Entry w t (@Async w e)]) (fun l => l).
  Definition p : replayer w := Replayer w
    (fun s _ => @Runs w (run s)) (fun s _ _ => s) (fun s _ x => (fst s, snd s + x)) (fun s _ => s)
    (fun _ b l => matching b l).
  Definition go : choice w := @Go w tt tt tt.
  Definition hit : choice w := @Hit w tt tt 1.
  Definition final {A} (es : list (label * A)) : option A := option_map snd (nth_error (rev es) 0).

  Theorem full_state_used_twice :
    @C1 w (false, 0) (false, 0) /\ C2 r p /\ C3 r p /\ C5 r p /\ C6 p /\
    exists script es l es', recording by_full_state r (false, 0) script tt = Some (es, l) /\
      replaying by_full_state p (false, 0) (repeat (tt, tt) 20) l = (es', AtEnd []) /\
      final es = Some (false, 1) /\ final es' = Some (false, 2).
  Proof.
    split; [reflexivity|]. split; [intros s h h'; reflexivity|]. split.
    { split; [intros t s h v; exists 0|intros t s h e; exists e]; split; reflexivity. }
    split; [repeat split|]. split; [intros h b l; reflexivity|].
    exists [go; go; hit; go; go; hit]. do 3 eexists. repeat split; vm_compute; reflexivity.
  Qed.
End UsedTwice.
