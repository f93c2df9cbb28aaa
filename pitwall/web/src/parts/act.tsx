// Something that is done on a click: once at a time, and what was wrong with it is told where it was asked for.

import {useState} from "preact/hooks";

import {Trouble} from "../api";

export interface Act {
  busy: boolean;
  trouble: Trouble | null;
  run: (act: () => Promise<unknown>) => Promise<boolean>; // whether it was done
}

export function useAct(): Act {
  const [busy, setBusy] = useState(false);
  const [trouble, setTrouble] = useState<Trouble | null>(null);
  const run = async (act: () => Promise<unknown>) => {
    setBusy(true);
    setTrouble(null);
    try {
      await act();
      return true;
    } catch (error) {
      if (!(error instanceof Trouble)) throw error;
      setTrouble(error);
      return false;
    } finally {
      setBusy(false);
    }
  };
  return {busy, trouble, run};
}

export function Refusal({trouble}: {trouble: Trouble | null}) {
  if (!trouble) return null;
  return (
    <p class="banner bad" role="alert">
      {trouble.status === 403 && "Not allowed: "}{trouble.message}{trouble.hint && <span class="hint"> {trouble.hint}</span>}
    </p>
  );
}
