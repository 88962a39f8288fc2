/** Do this later; return what cancels it: a timer itself cannot be in a context that is kept in a file. */
function later(action, ms) {
    const timer = setTimeout(action, ms);
    return () => clearTimeout(timer);
}
