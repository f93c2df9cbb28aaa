// A frame's bytes, each over its eight bits: which of them are marked, which have changed lately, which ever did.

export interface Masks {
  marked?: string | null; // hexadecimal, as long as the bytes, or shorter
  lately?: string;
  ever?: string;
}

const BITS = [7, 6, 5, 4, 3, 2, 1, 0] as const; // as a byte is written

export function byteOf(hex: string | null | undefined, at: number): number {
  const value = parseInt((hex ?? "").slice(2 * at, 2 * at + 2), 16);
  return Number.isNaN(value) ? 0 : value;
}

export function Payload({data, marked, lately, ever, name}: Masks & {data: string; name: string}) {
  const count = data.length / 2;
  if (count === 0) return <span class="payload soft">no bytes</span>;
  const moving = Array.from({length: count}, (_, at) => at).filter((at) => byteOf(lately, at) || byteOf(marked, at));
  const what = marked ? "holding the signal" : "changing";
  return (
    <span class="payload" role="img" aria-label={`${name}: ${data}${moving.length ? `; bytes ${what}: ${moving.join(", ")}` : ""}`}>
      {Array.from({length: count}, (_, at) => (
        <span key={at} class={byteOf(lately, at) || byteOf(marked, at) ? "byte moving" : "byte"} style={{backgroundImage: strip(byteOf(marked, at) | byteOf(lately, at), byteOf(ever, at))}}>
          {data.slice(2 * at, 2 * at + 2)}
        </span>
      ))}
    </span>
  );
}

// Eight cells in one background: a page of frames has thousands of bits.
function strip(now: number, ever: number): string {
  const cells = BITS.map((bit, i) => {
    const colour = now >> bit & 1 ? "var(--accent)" : ever >> bit & 1 ? "var(--soft)" : "var(--line)";
    return `${colour} ${i * 12.5}% ${(i + 1) * 12.5 - 2}%, transparent ${(i + 1) * 12.5 - 2}% ${(i + 1) * 12.5}%`;
  });
  return `linear-gradient(to right, ${cells.join(", ")})`;
}

// The same bit by bit, with its value: a changing bit is bold and underlined, one that changed before in italics.
export function Bits({data, marked, lately, ever, name}: Masks & {data: string; name: string}) {
  return (
    <div class="scroll">
      <table class="bits" aria-label={name}>
        <thead><tr><th scope="col">byte</th>{BITS.map((bit) => <th key={bit} scope="col">{bit}</th>)}<th scope="col">hex</th><th scope="col">dec</th></tr></thead>
        <tbody>
          {Array.from({length: data.length / 2}, (_, at) => {
            const value = byteOf(data, at);
            return (
              <tr key={at}>
                <th scope="row">{at}</th>
                {BITS.map((bit) => {
                  const now = (byteOf(marked, at) | byteOf(lately, at)) >> bit & 1;
                  return <td key={bit} class={now ? "now" : byteOf(ever, at) >> bit & 1 ? "ever" : undefined}>{value >> bit & 1}</td>;
                })}
                <td>{data.slice(2 * at, 2 * at + 2)}</td>
                <td>{value}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}
