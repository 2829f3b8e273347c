# walk.awk -- reads the heads of source files; prints "step  file  what it is", a line for each step.

function say(file, step, words,   sentence)
{
    sentence = words
    sub(/ \*\/$/, "", sentence)
    if (match(sentence, /\.( |$)/)) sentence = substr(sentence, 1, RSTART - 1)
    printf "%3d  %-32s %s\n", step, file, sentence
}

function finish(   words, colon, steps, step)
{
    if (head ~ / -- walk [0-9]/) {
        words = substr(head, index(head, " -- walk ") + 9)
        colon = index(words, ": ")
        steps = substr(words, 1, colon - 1)
        words = substr(words, colon + 2)
        while (match(steps, /[0-9]+/)) {
            step = substr(steps, RSTART, RLENGTH)
            steps = substr(steps, RSTART + RLENGTH)
            say(file, step, words)
        }
    }
    head = ""
}

FNR == 1 { finish(); file = FILENAME; open = 1 }
open && !/^(\/\*| \*|--)/ { open = 0 }
open {
    line = $0
    sub(/^(\/\*| \*\/?|--+) ?/, "", line)
    if (line == "") open = 0
    else head = head (head == "" ? "" : " ") line
}
END { finish() }
