// On Stop: takes the handler away, when the connection that is closed now has had time to fail. The
// timers of a function node end with it; those of Node.js do not.

const handle = context.get('handle');
timers.setTimeout(() => process.off('unhandledRejection', handle), 10000).unref();
