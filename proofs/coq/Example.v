(* SPDX-License-Identifier: GPL-2.0-or-later *)
(* The conditions can be met together, by a machine that does something: it counts in a loop, reads a clock, and adds up
   what events bring. So the theorem is not about nothing. *)
From Coq Require Import List Arith Lia.
Import ListNotations.
From CASMotion Require Import Log Machine Conditions Sufficiency TimePoints.

(* The program, forever:
     0: clock = read the clock       enters Xen; the environment says what the clock shows
     1: sum = sum + inbox; inbox = 0
     2: loops = loops - 1; if loops > 0 goto 1
     3: loops = 2 + clock % 2; goto 0 *)
Record guest := Guest { pc : nat; sum : nat; loops : nat; clock : nat; inbox : nat }.

Definition enters (s : guest) : bool := pc s =? 0.
Definition branch (s : guest) : bool := pc s =? 2.
Definition execute (s : guest) : guest :=
  match pc s with
  | 1 => Guest 2 (sum s + inbox s) (loops s) (clock s) 0
  | 2 => Guest (if loops s - 1 =? 0 then 3 else 1) (sum s) (loops s - 1) (clock s) (inbox s)
  | _ => Guest 0 (sum s) (2 + clock s mod 2) (clock s) (inbox s)
  end.
Definition read_clock (s : guest) (v : nat) : guest := Guest 1 (sum s) (loops s) v (inbox s).
Definition bring (s : guest) (e : nat) : guest := Guest (pc s) (sum s) (loops s) (clock s) (inbox s + e).
Definition boot : guest := Guest 0 0 2 0 0.

(* Hidden state, values, effects and payloads are numbers. *)
Definition w : world := counting guest nat nat nat nat.
Definition names : naming w := canonical guest nat nat nat nat branch.

Definition next_of (s : guest) : next w := if enters s then Enters else @Runs w (execute s).
Definition sync_record (t : time) (x : nat) : log w := [@Entry w t (@Sync w x)].
Definition async_record (t : time) (x : nat) : log w := [@Entry w t (@Async w x)].

Definition rec : recorder w := Recorder w
  (fun s _ => next_of s) (fun s _ v => read_clock s v) (fun s _ e => bring s e) (fun s _ => s)
  (fun t _ _ v => sync_record t v) (fun t _ _ e => async_record t e) (fun l => l).
Definition rep : replayer w := Replayer w
  (fun s _ => next_of s) (fun s _ x => read_clock s x) (fun s _ x => bring s x) (fun s _ => s)
  (fun _ b l => matching b l).

Lemma C2_holds : C2 rec rep. Proof. intros s h h'. reflexivity. Qed.
Lemma C3_holds : C3 rec rep.
Proof. split; [intros t s h v; exists v|intros t s h e; exists e]; split; reflexivity. Qed.
Lemma C4_holds : forall s0, C4 names rec s0. Proof. apply canonical_C4. Qed.
Lemma C5_holds : C5 rec rep. Proof. repeat split. Qed.
Lemma C6_holds : C6 rep. Proof. intros h b l. reflexivity. Qed.

Theorem satisfiable : forall s0, sufficient names rec rep s0 s0.
Proof. intros s0. split; [reflexivity|]. auto using C2_holds, C3_holds, C4_holds, C5_holds, C6_holds. Qed.

(* A recording of it: two readings of the clock, an event right after the first branch since the first reading (at an
   A-point), two at the exit of the second reading (an S-point), and what the guest made of them. *)
Definition go (v : nat) : choice w := @Go w 0 0 v.
Definition hit (e : nat) : choice w := @Hit w 0 0 e.
Definition script : list (choice w) :=
  [go 7; go 0; go 0; hit 40; go 0; go 0; go 0; go 9; hit 1; hit 1; go 0; go 0].

Theorem records_a_log :
  option_map snd (recording names rec boot script 0) =
  Some [@Entry w (1, 0) (@Sync w 7); @Entry w (1, 1) (@Async w 40);
        @Entry w (2, 0) (@Sync w 9); @Entry w (2, 0) (@Async w 1); @Entry w (2, 0) (@Async w 1);
        @Entry w (2, 1) (@End w)].
Proof. reflexivity. Qed.

Theorem events_count :
  option_map (fun x => last (fst x) (Ran, boot)) (recording names rec boot script 0) = Some (Ended, Guest 1 42 2 9 0).
Proof. reflexivity. Qed.

(* And its replay, with other hidden states, computed. *)
Theorem replays_it : forall es l, recording names rec boot script 0 = Some (es, l) ->
  replaying names rep boot (repeat (5, 6) 20) l = (es, AtEnd []).
Proof. intros es l E. vm_compute in E. inversion E; subst. vm_compute. reflexivity. Qed.
