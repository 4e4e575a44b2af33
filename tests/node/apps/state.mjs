// What live_binding.mjs shares.
export let currentUser = null;

export function signIn(name) {
  currentUser = name;
}
