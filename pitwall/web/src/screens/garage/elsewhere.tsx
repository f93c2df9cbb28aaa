// How to see all of this on another device: a link is made where pitwall runs, for it is a key.

const LOCAL = /^(localhost|127\.|\[::1\]|.*\.localhost$)/;

export function Elsewhere() {
  const alone = LOCAL.test(location.hostname);
  return (
    <section class="card">
      <h2>On another device</h2>
      {alone ? (
        <p>You came by an address of this machine alone. So that a phone can come too, start it with{" "}
          <code>PITWALL_TOKEN=$(pitwall token make) pitwall run --host 0.0.0.0</code>: it prints a link and its QR code.</p>
      ) : <p>The address is <code>{location.origin}</code>.</p>}
      <p>A link that lets one device in, with its QR code, good once and for ten minutes: <code>pitwall token link</code>.
        For who shall only look: <code>pitwall token link --read-only</code>.</p>
    </section>
  );
}
