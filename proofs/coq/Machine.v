(* SPDX-License-Identifier: GPL-2.0-or-later *)
(* The two systems, as functions: one that records a guest, one that replays it.

   Both are arbitrary: each part of a system is a parameter that may look at hidden state and may be wrong. What a correct
   system must satisfy is not here but in Conditions.v. Whatever is nondeterministic is an explicit argument: the hidden
   state at each step, the values, the effects and the moment at which they strike are chosen by the environment. "For all
   environments" is then a quantifier over ordinary lists. *)
From Coq Require Import List.
Import ListNotations.
From CASMotion Require Import Log.

(* What the guest's next instruction does: it runs to its end, or it enters Xen. *)
Inductive next (w : world) := Runs (s : state w) | Enters.
Arguments Runs {w}.
Arguments Enters {w}.

(* How places are named. The counters are a function of the guest's own steps; [name] is the name of the boundary that was
   just reached, None if nothing may be injected there. *)
Record naming (w : world) := Naming {
  counters : Type;
  zero : counters;
  ran : state w -> counters -> counters;        (* after the instruction at this state ran *)
  entered : state w -> counters -> counters;    (* after the entry made at this state *)
  entry_name : state w -> counters -> point w;  (* name of the entry made at this state *)
  name : state w -> counters -> option (point w);
  still : point w -> option (point w)           (* the boundary's name once an effect was applied there *)
}.
Arguments counters {w}.
Arguments zero {w}.
Arguments ran {w}.
Arguments entered {w}.
Arguments entry_name {w}.
Arguments name {w}.
Arguments still {w}.

Section Configuration.
  Context {w : world} (N : naming w).

  Record config := Config {
    now : state w;
    count : counters N;
    here : option (point w)  (* name of this boundary, given on arrival *)
  }.

  Definition start (s : state w) : config := Config s (zero N) None.

  Definition after_run (c : config) (s s' : state w) : config :=
    let k := ran N s (count c) in Config s' k (name N s' k).

  Definition after_entry (c : config) (s s' : state w) : config :=
    let k := entered N s (count c) in Config s' k (name N s' k).

  Definition after_effect (c : config) (t : point w) (s' : state w) : config := Config s' (count c) (still N t).
End Configuration.
Arguments now {w N}.
Arguments count {w N}.
Arguments here {w N}.
Arguments after_run {w N}.
Arguments after_entry {w N}.
Arguments after_effect {w N}.

(* --- Recording --- *)

Record recorder (w : world) := Recorder {
  r_next : state w -> hidden w -> next w;
  r_sync : state w -> hidden w -> value w -> state w;
  r_async : state w -> hidden w -> effect w -> state w;
  r_quiet : state w -> hidden w -> state w;  (* everything else that happens between two steps: interrupts, dom0, DMA *)
  r_write_sync : point w -> state w -> hidden w -> value w -> log w;
  r_write_async : point w -> state w -> hidden w -> effect w -> log w;
  r_carry : log w -> log w                   (* from the vCPU's hands into the file: ring, daemon, disk *)
}.
Arguments r_next {w}.
Arguments r_sync {w}.
Arguments r_async {w}.
Arguments r_quiet {w}.
Arguments r_write_sync {w}.
Arguments r_write_async {w}.
Arguments r_carry {w}.

(* What the environment does to a step of the recording. [q] and [h] are the hidden state before and during it. *)
Inductive choice (w : world) :=
  | Go (q h : hidden w) (v : value w)    (* lets the guest make one step; [v] is used if it enters Xen *)
  | Hit (q h : hidden w) (e : effect w). (* an effect strikes; possible at injection points only *)
Arguments Go {w}.
Arguments Hit {w}.

Section Record.
  Context {w : world} (N : naming w) (r : recorder w).

  Definition record_step (ch : choice w) (c : config N) : option (config N * (label * state w) * log w) :=
    match ch with
    | Go q h v =>
        let s := r_quiet r (now c) q in
        match r_next r s h with
        | Runs s' => Some (after_run c s s', (Ran, s'), [])
        | Enters =>
            let s' := r_sync r s h v in
            Some (after_entry c s s', (Entered, s'), r_write_sync r (entry_name N s (count c)) s h v)
        end
    | Hit q h e =>
        match here c with
        | None => None
        | Some t =>
            let s := r_quiet r (now c) q in
            let s' := r_async r s h e in
            Some (after_effect c t s', (Injected, s'), r_write_async r t s h e)
        end
    end.

  Fixpoint record_run (script : list (choice w)) (c : config N) : option (config N * trace w * log w) :=
    match script with
    | [] => Some (c, [], [])
    | ch :: rest =>
        match record_step ch c with
        | None => None
        | Some (c1, e, l1) =>
            match record_run rest c1 with
            | None => None
            | Some (c2, es, l2) => Some (c2, e :: es, l1 ++ l2)
            end
        end
    end.

  (* The end of a recording is an injection point; so is a guest's own shutdown, which is an entry without an exit. *)
  Definition record_end (q : hidden w) (c : config N) : option (trace w * log w) :=
    match here c with
    | None => None
    | Some t => Some ([(Ended, r_quiet r (now c) q)], [Entry t End])
    end.

  Definition record_from (script : list (choice w)) (q : hidden w) (c : config N) : option (trace w * log w) :=
    match record_run script c with
    | None => None
    | Some (c', es, l) =>
        match record_end q c' with
        | None => None
        | Some (e, l') => Some (es ++ e, l ++ l')
        end
    end.

  (* A whole recording: what the guest went through, and the log that is left of it. *)
  Definition recording (s0 : state w) (script : list (choice w)) (q : hidden w) : option (trace w * log w) :=
    match record_from script q (start N s0) with
    | None => None
    | Some (es, l) => Some (es, r_carry r l)
    end.
End Record.

(* --- Replaying --- *)

Inductive decision := LetRun | Inject | Stop.

Record replayer (w : world) := Replayer {
  p_next : state w -> hidden w -> next w;
  p_sync : state w -> hidden w -> payload w -> state w;
  p_async : state w -> hidden w -> payload w -> state w;
  p_quiet : state w -> hidden w -> state w;
  p_decide : hidden w -> option (point w) -> log w -> decision  (* at this boundary, with this rest of the log *)
}.
Arguments p_next {w}.
Arguments p_sync {w}.
Arguments p_async {w}.
Arguments p_quiet {w}.
Arguments p_decide {w}.

Section Replay.
  Context {w : world} (N : naming w) (p : replayer w).

  Inductive step_result :=
    | Moved (c : config N) (e : label * state w) (rest : log w)
    | Finished (e : label * state w) (rest : log w)
    | RanOut     (* a record is needed and the log has none left: it was cut *)
    | Diverged.  (* the log's next record is not what this place needs *)

  Definition replay_step (hs : hidden w * hidden w) (c : config N) (l : log w) : step_result :=
    let s := p_quiet p (now c) (fst hs) in
    let h := snd hs in
    match p_decide p h (here c) l, l with
    | Inject, Entry t (Async x) :: rest => let s' := p_async p s h x in Moved (after_effect c t s') (Injected, s') rest
    | Inject, [] => RanOut
    | Inject, _ :: _ => Diverged
    | Stop, Entry _ End :: rest => Finished (Ended, s) rest
    | Stop, [] => RanOut
    | Stop, _ :: _ => Diverged
    | LetRun, _ =>
        match p_next p s h with
        | Runs s' => Moved (after_run c s s') (Ran, s') l
        | Enters =>
            match l with
            | [] => RanOut
            | Entry t (Sync x) :: rest =>
                if point_dec w t (entry_name N s (count c))
                then let s' := p_sync p s h x in Moved (after_entry c s s') (Entered, s') rest
                else Diverged
            | _ :: _ => Diverged
            end
        end
    end.

  Inductive outcome :=
    | Running (c : config N) (rest : log w)
    | AtEnd (rest : log w)
    | OutOfLog
    | Differs.

  (* A replay for as many steps as [hs] has hidden states, or until it is over. *)
  Fixpoint replay_run (hs : list (hidden w * hidden w)) (c : config N) (l : log w) : trace w * outcome :=
    match hs with
    | [] => ([], Running c l)
    | h :: hs' =>
        match replay_step h c l with
        | Moved c' e l' => let (es, o) := replay_run hs' c' l' in (e :: es, o)
        | Finished e l' => ([e], AtEnd l')
        | RanOut => ([], OutOfLog)
        | Diverged => ([], Differs)
        end
    end.

  Definition replaying (s0 : state w) (hs : list (hidden w * hidden w)) (l : log w) : trace w * outcome :=
    replay_run hs (start N s0) l.
End Replay.
Arguments Moved {w N}.
Arguments Finished {w N}.
Arguments RanOut {w N}.
Arguments Diverged {w N}.
Arguments Running {w N}.
Arguments AtEnd {w N}.
Arguments OutOfLog {w N}.
Arguments Differs {w N}.
