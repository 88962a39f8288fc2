// On Stop: takes the handler away.

process.off('unhandledRejection', context.get('handle'));
