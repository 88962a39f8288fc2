#!/bin/bash
# Adds every message of recbms-zmq to a Redis stream per BMS: recbms/main, recbms/boat, …
#
#   ./to_redis.sh ~/recbms/bin/recbms-zmq run ws://192.168.8.2/ws
#   ./to_redis.sh ~/recbms/bin/recbms-zmq listen
#
# REDIS_OPTIONS are those of redis-cli, for example "-h 192.168.8.5 -p 6379 --tls"; the password
# goes into REDISCLI_AUTH. MAXLEN is the number of entries that a stream keeps. Needs jq and
# redis-cli (Debian: jq, redis-tools).
#
# If Redis goes away, the command ends with exit code 141; a service manager then restarts it.

# recbms-zmq replaces this shell, so that a service manager signals it alone. The other programs
# ignore the signals that end it, and end after its last line.
exec "$@" > >(
    trap '' TERM INT
    # Redis's protocol: a length before every value, so that no message can become a command.
    jq --unbuffered -Rj --arg maxlen "${MAXLEN:-100000}" '
        ["XADD", "recbms/" + fromjson.device, "MAXLEN", "~", $maxlen, "*", "message", .]
        | "*\(length)\r\n" + (map("$\(utf8bytelength)\r\n\(.)\r\n") | add)' |
        redis-cli ${REDIS_OPTIONS:--h 127.0.0.1 -p 6379} --pipe
)
