/* npc.c -- a game with a guard who can open a door: one agent, one C tool, 2 ms a frame.
 *
 *     cc npc.c -lrille -o npc && OPENAI_BASE_URL=http://localhost:11434/v1 ./npc
 */
#include <rille.h>

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void open_door(rille_call *call, const char *arguments, void *game)
{
    int *door_is_open = game;
    fprintf(stderr, "[door] %s\n", arguments);
    *door_is_open = 1;
    rille_call_result(call, "The door is open.");
}

static void on_event(rille_run *run, const char *event, void *game)
{
    (void)run;
    (void)game;
    if (strstr(event, "\"type\":\"failed\"") != NULL)
        fprintf(stderr, "%s\n", event);
}

int main(void)
{
    int door_is_open = 0;
    rille *rt = rille_open(NULL);
    rille_tool door = {.name = "open_door",
                       .description = "Opens the door.",
                       .run = open_door,
                       .user = &door_is_open};
    rille_tool_add(rt, &door);
    rille_agent *guard = rille_agent_open(
        rt, "{\"model\":\"gpt-5.4\",\"instructions\":\"You guard a door. Open it for friends.\"}");
    rille_run *run = rille_agent_send(guard, "A friend asks to pass.", on_event, NULL);
    if (run == NULL)
        fprintf(stderr, "%s\n", rille_error(rt));
    while (rille_run_is_active(run)) { /* a frame: 2 ms for the agent, then the rest of the game */
        rille_pump(rt, 2000);
        poll(NULL, 0, 14);
    }
    const char *said = rille_run_text(run);
    printf("%s (the door is %s)\n", said != NULL ? said : "...", door_is_open ? "open" : "shut");
    rille_close(rt);
    return said != NULL ? EXIT_SUCCESS : EXIT_FAILURE;
}
