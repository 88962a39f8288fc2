/** Whether the error means that Home Assistant is not there, not that it refuses. */
function isAway(text) {
    return /NoConnection|not connected|Connection lost|ECONN|socket|timeout/i.test(text);
}
