/* The device's digital lines: what the registers make of them, and a log of every edge. */
#include "producer.h"

enum { INPUT_MODE, OUTPUT_MODE };

bool line_level(const struct camera *camera, int64_t line)
{
    return atomic_load(&camera->scene.state->lines) >> line & 1;
}

/* LineSource 0 is Off, n is UserOutput n - 1. A line that is no output is not driven: low. */
static bool wanted(const struct registers *r, int64_t line)
{
    bool level = r->line_source[line] > 0 && r->outputs[r->line_source[line] - 1];

    return r->line_mode[line] == OUTPUT_MODE && level != (r->line_inverter[line] != 0);
}

void lines_update(struct camera *camera)
{
    struct scene_state *state = camera->scene.state;

    for (int64_t line = 1; line < LINE_COUNT; line++) {
        bool level = wanted(&camera->registers, line);
        if (level == line_level(camera, line))
            continue;
        atomic_fetch_xor(&state->lines, (uint64_t)1 << line);
        log_edge(&camera->scene, (uint32_t)line, level);
    }
}
