/* The device: its thread makes triggers, counts edges of the line, and hands frames to delivery.c. */
#include "producer.h"

#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { POLL_LINE_NS = 1000000, POLL_NS = 5000000 }; /* how late an edge, or a fault, is noticed */
enum { EDGES_MAX = 1 << 20 }; /* at once; more is a damaged file */

bool camera_lost(const struct camera *camera)
{
    return atomic_load(&camera->scene.control->losses) != camera->losses;
}

bool camera_away(const struct camera *camera)
{
    return now_ns() < atomic_load(&camera->scene.control->lost_until_ns);
}

bool camera_acquiring(const struct camera *camera)
{
    return camera->started && camera->grabbing && camera->frames_left > 0 && !camera_lost(camera);
}

static bool on_line(const struct camera *camera)
{
    return camera->registers.trigger_mode && camera->registers.trigger_source;
}

/* A trigger, whatever made it. Exposures follow one another; a frame is due when its own has ended. */
static void trigger(struct camera *camera)
{
    struct camera_scene *scene = &camera->scene;
    uint64_t now = now_ns();

    if (!camera_acquiring(camera)) {
        uint64_t n = log_trigger(scene, 0, 0, now, now);
        log_fate(scene, n, camera_lost(camera) || camera_away(camera) ? LOST : DISCARDED);
        return;
    }
    if (camera->pending == scene->config.log_capacity)
        discard_pending(camera, UNDERRUN); /* the log is the camera's memory: it overflows */
    if (camera->last_due_ns < now)
        camera->last_due_ns = now;
    camera->last_due_ns += (uint64_t)(camera->registers.exposure_us * 1e3);
    log_trigger(scene, camera->acquisition, ++camera->frame_id, now, camera->last_due_ns);
    camera->pending++;
    camera->frames_left--;
}

void camera_count_edges(struct camera *camera)
{
    struct scene_state *state = camera->scene.state;
    uint64_t edges = atomic_load(&camera->scene.control->pulses);
    uint64_t seen = atomic_load(&state->pulses);

    if (!on_line(camera)) {
        atomic_store(&state->pulses, edges);
        return;
    }
    if (seen < edges && edges - seen > EDGES_MAX)
        seen = edges - EDGES_MAX;
    for (; seen < edges; seen++) {
        trigger(camera);
        atomic_store(&state->pulses, seen + 1);
    }
}

int32_t camera_software_trigger(struct camera *camera)
{
    if (!camera->registers.trigger_mode || camera->registers.trigger_source)
        return fail(GC_ERR_NOT_AVAILABLE, "TriggerSoftware: the trigger source is not Software");
    if (!camera_acquiring(camera))
        return fail(GC_ERR_NOT_AVAILABLE, "TriggerSoftware: no acquisition is running");
    trigger(camera);
    pthread_cond_signal(&camera->wake);
    return GC_ERR_SUCCESS;
}

/* Free run. Returns when the next trigger is due; rate 0 waits for a buffer, not for a time. */
static uint64_t run_free(struct camera *camera, uint64_t now)
{
    const struct scene_config *config = &camera->scene.config;
    double rate = camera->registers.rate_hz, exposure_ns = camera->registers.exposure_us * 1e3;
    double asked_ns = rate > 1e-6 ? 1e9 / rate : rate > 0 ? 1e15 : 0;
    uint64_t period = (uint64_t)(asked_ns > exposure_ns ? asked_ns : exposure_ns);

    while (camera_acquiring(camera) && !camera->registers.trigger_mode) {
        if (!config->loop && atomic_load(&camera->scene.state->triggers) >= config->images)
            break;
        if (rate == 0 && camera->input.count <= camera->pending)
            break;
        if (now < camera->next_trigger_ns)
            return camera->next_trigger_ns;
        trigger(camera);
        camera->next_trigger_ns += period;
        if (camera->next_trigger_ns < now) /* we were kept from running: skip, do not catch up */
            camera->next_trigger_ns = now + period;
    }
    return UINT64_MAX;
}

/* One round of the device; returns when to look again. */
static uint64_t step(struct camera *camera)
{
    uint64_t next, now = now_ns(), stalled, poll;

    if (camera_lost(camera) && (camera->started || camera->pending)) {
        camera->started = false; /* as on a camera whose heartbeat stopped */
        discard_pending(camera, LOST);
    }
    camera_count_edges(camera);
    next = run_free(camera, now);
    deliver_pending(camera);

    poll = now + (on_line(camera) ? POLL_LINE_NS : POLL_NS);
    if (camera->pending) {
        uint64_t due = log_at(&camera->scene, camera->next_pending)->due_ns;
        stalled = atomic_load(&camera->scene.control->stalled_until_ns);
        due = due > stalled ? due : stalled;
        next = next < due ? next : due;
    }
    return next < poll ? next : poll;
}

static void *run(void *argument)
{
    struct camera *camera = argument;
    LOCKED;

    prctl(PR_SET_NAME, "camera-device"); /* what it costs is not the consumer's */
    while (!camera->quit) {
        uint64_t next = step(camera);
        struct timespec until = {.tv_sec = (time_t)(next / 1000000000u),
                                 .tv_nsec = (long)(next % 1000000000u)};
        if (!camera->quit)
            pthread_cond_timedwait(&camera->wake, &producer_mutex, &until);
    }
    return NULL;
}

int32_t camera_power_on(struct camera *camera)
{
    if (camera_away(camera))
        return fail(GC_ERR_NOT_AVAILABLE, "device %s does not answer", camera->id);
    camera->lock_fd = scene_lock(camera->index);
    if (camera->lock_fd == -1)
        return fail(GC_ERR_ACCESS_DENIED, "device %s is open in another process", camera->id);
    if (camera->lock_fd < 0)
        return fail(GC_ERR_IO, "the scene file of device %s is gone", camera->id);
    camera->losses = atomic_load(&camera->scene.control->losses);
    registers_reset(camera);
    lines_update(camera); /* what was high before the power-up is low now */
    log_settle(&camera->scene);
    camera->started = camera->grabbing = camera->quit = camera->filling = false;
    camera->pending = 0;
    camera->next_pending = atomic_load(&camera->scene.state->triggers) + 1;
    camera->last_due_ns = 0;
    if (pthread_create(&camera->thread, NULL, run, camera) != 0) {
        close(camera->lock_fd);
        return fail(GC_ERR_RESOURCE_EXHAUSTED, "no thread for device %s", camera->id);
    }
    return GC_ERR_SUCCESS;
}

void camera_power_off(struct camera *camera)
{
    camera_stop(camera);
    camera->quit = true;
    pthread_cond_signal(&camera->wake);
    pthread_mutex_unlock(&producer_mutex);
    pthread_join(camera->thread, NULL);
    pthread_mutex_lock(&producer_mutex);
    close(camera->lock_fd);
}

void camera_start(struct camera *camera)
{
    struct registers *r = &camera->registers;

    if (camera->started && camera->frames_left > 0)
        return;
    camera_count_edges(camera); /* those before the start belong to no acquisition */
    camera->started = true;
    camera->frame_id = 0;
    camera->acquisition = atomic_fetch_add(&camera->scene.state->acquisitions, 1) + 1;
    camera->frames_left = r->acquisition_mode == SINGLE_FRAME  ? 1
                          : r->acquisition_mode == MULTI_FRAME ? (uint64_t)r->frame_count
                                                               : UINT64_MAX;
    camera->next_trigger_ns = now_ns();
    pthread_cond_signal(&camera->wake);
}

/* Ends the acquisition; a frame that is being copied still arrives. */
void camera_stop(struct camera *camera)
{
    camera_count_edges(camera);
    camera->started = false;
    discard_pending(camera, DISCARDED);
    while (camera->filling)
        pthread_cond_wait(&camera->idle, &producer_mutex);
}
