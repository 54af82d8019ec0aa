(* SPDX-License-Identifier: GPL-2.0-or-later *)
(* C4, for the time points in use: it is a theorem, not an assumption, for S-points and for canonical A-points, on every
   machine. And it is false for (count, RIP, registers) in a loop without conditional branches. *)
From Coq Require Import List Arith Lia.
Import ListNotations.
From CASMotion Require Import Log Machine Conditions.

(* A time point is (n, b): synchronous entries so far, and conditional branches retired since the last of them. *)
Definition time := (nat * nat)%type.
Definition time_dec : forall a b : time, {a = b} + {a <> b}.
Proof. repeat decide equality. Defined.

Definition before (a b : time) : Prop := fst a < fst b \/ (fst a = fst b /\ snd a < snd b).

Lemma before_irrefl : forall a, ~ before a a.
Proof. unfold before. intros a. lia. Qed.

Lemma before_trans : forall a b c, before a b -> before b c -> before a c.
Proof. unfold before. intros a b c. lia. Qed.

Section Canonical.
  Variables State Hidden Value Effect Payload : Type.
  Variable branch : State -> bool.  (* does the instruction at this state retire as a conditional branch? *)

  Definition counting : world := World State Hidden Value Effect Payload time time_dec.

  Record counter := Counter { at_time : time; right_after : bool }. (* right after an entry or a counted branch? *)

  (* The canonical names: the exit of entry n is (n, 0); the first boundary after the b-th branch since is (n, b); no other
     boundary has a name. With a [branch] that is always false these are the S-points alone: a host without a counter. *)
  Definition canonical : naming counting := {|
    counters := counter;
    zero := Counter (0, 0) false;
    ran := fun (s : state counting) k =>
      if branch s then Counter (fst (at_time k), 1 + snd (at_time k)) true else Counter (at_time k) false;
    entered := fun _ k => Counter (1 + fst (at_time k), 0) true;
    entry_name := fun _ k => (1 + fst (at_time k), 0);
    name := fun _ k => if right_after k then Some (at_time k) else None;
    still := fun t => Some t
  |}.

  Variable r : recorder counting.

  Definition when (c : config canonical) : time := at_time (count c).

  (* The name of a boundary that has one is the time there. *)
  Definition well_named (c : config canonical) : Prop := forall t, here c = Some t -> t = when c.

  Lemma start_named : forall s, well_named (start canonical s).
  Proof. intros s t B. discriminate. Qed.

  Definition progress (c c' : config canonical) : Prop :=
    before (when c) (when c') \/ (here c' = None /\ when c = when c').

  Lemma one_step : forall ch c c' e l, record_step canonical r ch c = Some (c', e, l) -> well_named c ->
    well_named c' /\
    match ch with
    | Go _ _ _ => progress c c'
    | Hit _ _ _ => when c' = when c /\ here c' = here c
    end.
  Proof.
    intros ch c c' e l R W. destruct ch as [q h v|q h f]; simpl in R.
    - destruct (r_next r (r_quiet r (now c) q) h) as [s'|]; inversion R; subst; clear R.
      + unfold well_named, progress, before, when, after_run; simpl. destruct (branch _); simpl; split.
        * intros t B; congruence.
        * left; lia.
        * intros t B; discriminate.
        * right; auto.
      + unfold well_named, progress, before, when, after_entry; simpl. split; [intros t B; congruence|]. left; lia.
    - destruct (here c) as [t|] eqn:B; [|discriminate]. inversion R; subst. simpl.
      unfold well_named, when. simpl. split; [|auto]. intros u D. specialize (W u). rewrite B in W. auto.
  Qed.

  Lemma many_steps : forall script c c' es l, record_run canonical r script c = Some (c', es, l) -> well_named c ->
    well_named c' /\ (moves script -> progress c c') /\ (progress c c' \/ (when c' = when c /\ here c' = here c)).
  Proof.
    induction script as [|ch script IH]; intros c c' es l R W; simpl in R.
    - inversion R; subst. split; [exact W|]. split; [|auto]. intros (q & h & v & []).
    - destruct (record_step canonical r ch c) as [[[c1 e] l1]|] eqn:S1; [|discriminate].
      destruct (record_run canonical r script c1) as [[[c2 es2] l2]|] eqn:S2; [|discriminate].
      inversion R; subst; clear R.
      destruct (one_step _ _ _ _ _ S1 W) as [W1 P1]. destruct (IH _ _ _ _ S2 W1) as (W2 & M2 & P2).
      split; [exact W2|]. destruct ch as [q h v|q h f].
      + assert (progress c c'); [|auto].
        unfold progress, before in *. destruct P2 as [[P2|[N2 P2]]|[E2 N2]].
        * destruct P1 as [P1|[N1 P1]]; left; [|rewrite P1; exact P2]. lia.
        * destruct P1 as [P1|[N1 P1]]; [left; rewrite <- P2; exact P1|right; split; congruence].
        * destruct P1 as [P1|[N1 P1]]; [left; rewrite E2; exact P1|right; split; congruence].
      + destruct P1 as [E1 N1]. unfold progress in *. rewrite E1, N1 in *. split.
        * intros (q1 & h1 & v1 & [D|I]); [discriminate|]. apply M2. exists q1, h1, v1. exact I.
        * exact P2.
  Qed.

  (* Along any execution the names of boundaries strictly increase... *)
  Theorem canonical_increases : forall s0 script1 c1 script2 c2 t1 t2,
    reaches r (start canonical s0) script1 c1 -> reaches r c1 script2 c2 -> moves script2 ->
    here c1 = Some t1 -> here c2 = Some t2 -> before t1 t2.
  Proof.
    intros s0 script1 c1 script2 c2 t1 t2 (es1 & l1 & R1) (es2 & l2 & R2) M B1 B2.
    destruct (many_steps _ _ _ _ _ R1 (start_named s0)) as (W1 & _).
    destruct (many_steps _ _ _ _ _ R2 W1) as (W2 & P & _). specialize (P M).
    rewrite (W1 _ B1), (W2 _ B2). destruct P as [P|[P _]]; [exact P|congruence].
  Qed.

  (* ...so a name belongs to one boundary at most. *)
  Theorem canonical_C4 : forall s0, C4 canonical r s0.
  Proof.
    intros s0 b1 c1 b2 c2 t R1 R2 M B1 B2.
    exact (before_irrefl t (canonical_increases s0 b1 c1 b2 c2 t t R1 R2 M B1 B2)).
  Qed.
End Canonical.

(* S-points alone: the same, with nothing counted but entries. *)
Definition s_points (State Hidden Value Effect Payload : Type) : naming (counting State Hidden Value Effect Payload) :=
  canonical State Hidden Value Effect Payload (fun _ => false).

Corollary s_points_C4 : forall (State Hidden Value Effect Payload : Type)
  (r : recorder (counting State Hidden Value Effect Payload)) (s0 : State),
  C4 (s_points State Hidden Value Effect Payload) r s0.
Proof. intros State Hidden Value Effect Payload r s0. apply canonical_C4. Qed.

(* --- Names by state: (b, RIP, registers) --- *)

(* The loop of the counterexample: "1: add $1, (mem); jmp 1b". Its registers, RIP among them, are the same in each lap; it
   never enters Xen; nothing in it is a conditional branch. *)
Module Loop.
  Inductive rip := AtAdd | AtJmp.
  Record machine := Machine { pc : rip; mem : nat }.
  Definition run (s : machine) : machine :=
    match pc s with AtAdd => Machine AtJmp (1 + mem s) | AtJmp => Machine AtAdd (mem s) end.

  (* (n, b) and all registers; here RIP is the only one. *)
  Definition place := (time * rip)%type.
  Definition place_dec : forall a b : place, {a = b} + {a <> b}.
  Proof. repeat decide equality. Defined.

  Definition w : world := World machine unit unit nat nat place place_dec.
  Definition by_registers : naming w := {|
    counters := time;
    zero := (0, 0);
    ran := fun _ k => k;  (* no conditional branch in this program *)
    entered := fun _ k => (1 + fst k, 0);
    entry_name := fun (s : state w) k => (1 + fst k, 0, pc s);
    name := fun (s : state w) k => Some (k, pc s);
    still := fun _ => None
  |}.

  (* An effect adds to the memory. *)
  Definition hit (s : machine) (e : nat) : machine := Machine (pc s) (10 * mem s + e).
  Definition r : recorder w := {|
    r_next := fun (s : state w) _ => @Runs w (run s);
    r_sync := fun s _ _ => s;
    r_async := fun (s : state w) _ e => hit s e;
    r_quiet := fun s _ => s;
    r_write_sync := fun t _ _ _ => [@Entry w t (@Sync w 0)];
    r_write_async := fun t _ _ e => [@Entry w t (@Async w e)];
    r_carry := fun l => l
  |}.

  Definition go : choice w := @Go w tt tt tt.
  Definition s0 : machine := Machine AtAdd 0.

  Theorem two_states_one_name : exists script1 c1 script2 c2,
    reaches r (start by_registers s0) script1 c1 /\ reaches r c1 script2 c2 /\ moves script2 /\
    here c1 = here c2 /\ here c1 <> None /\ now c1 <> now c2.
  Proof.
    exists [go; go], (@Config w by_registers (Machine AtAdd 1) (0, 0) (Some (0, 0, AtAdd))),
           [go; go], (@Config w by_registers (Machine AtAdd 2) (0, 0) (Some (0, 0, AtAdd))).
    repeat split; try discriminate; try (do 2 eexists; reflexivity).
    exists tt, tt, tt. left. reflexivity.
  Qed.

  Corollary by_registers_not_injective : ~ C4 by_registers r s0.
  Proof.
    intros I. destruct two_states_one_name as (b1 & c1 & b2 & c2 & R1 & R2 & M & Same & Named & _).
    destruct (here c1) as [t|] eqn:B; [|contradiction].
    exact (I b1 c1 b2 c2 t R1 R2 M B (eq_sym Same)).
  Qed.
End Loop.
