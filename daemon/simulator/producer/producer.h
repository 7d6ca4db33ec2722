/* What the producer's files share. One mutex guards everything: every call is short, and the two
 * that are not (copying an image, waiting for an event) let go of it. */
#ifndef EFFAD_PRODUCER_H
#define EFFAD_PRODUCER_H

#include <pthread.h>

#include "gentl.h"
#include "scene.h"

#define VENDOR "effad"
#define MODEL "effad simulator"
#define TL_TYPE "Custom"
#define VERSION "1.0.0"
#define INTERFACE_ID "effad-interface"
#define STREAM_ID "Stream0"

enum module_kind { SYSTEM, INTERFACE, DEVICE, REMOTE, STREAM, EVENT, MODULE_KINDS };

struct camera;
struct module { /* every handle but a buffer's points to one; they are static, so a stale one is safe */
    enum module_kind kind;
    bool open;
    struct camera *camera;
};

enum place { UNQUEUED, INPUT, FILLING, OUTPUT };
struct buffer {
    struct buffer *next_announced, *next;
    uint8_t *base;
    size_t size;
    void *user;
    bool owned; /* by us: DSAllocAndAnnounceBuffer */
    enum place place;
    enum fate fate; /* what the trigger's record becomes when the consumer takes the buffer */
    bool new_data, incomplete, larger;
    uint64_t trigger, frame_id, timestamp_ns;
    size_t filled, width, height, x, y;
};
struct queue {
    struct buffer *head, **tail;
    size_t count;
};

enum { LINE_COUNT = 3, OUTPUT_COUNT = 2 }; /* Line0 is an input, the trigger's */

struct registers { /* the remote device's settings, at power-on values whenever it is opened */
    int64_t acquisition_mode, frame_count, locked, width, height, x, y;
    int64_t trigger_mode, trigger_source, trigger_selector, counter_selector, latch_ns;
    int64_t line, output; /* selected */
    int64_t line_mode[LINE_COUNT], line_source[LINE_COUNT], line_inverter[LINE_COUNT];
    int64_t outputs[OUTPUT_COUNT];
    double rate_hz, exposure_us, gain_db;
};
enum { CONTINUOUS, SINGLE_FRAME, MULTI_FRAME };

struct camera {
    struct camera_scene scene;
    char id[80];
    struct module device, remote, stream, event;
    int index, lock_fd;
    uint64_t losses; /* at opening; another number now: the device went away, this handle is dead */
    struct registers registers;

    pthread_t thread;
    pthread_cond_t wake, arrived, idle; /* of the device's thread, of the consumer, of a stop */
    bool quit, filling;

    bool started, grabbing; /* by AcquisitionStart, by DSStartAcquisition; acquiring: both */
    uint64_t acquisition, frame_id, frames_left, buffers_left;
    uint64_t next_pending, pending; /* oldest trigger not yet delivered, how many there are */
    uint64_t next_trigger_ns, last_due_ns;

    struct buffer *announced;
    struct queue input, output;
    uint64_t num_started, num_delivered, num_underrun, num_fired;
    unsigned waiters; /* in EventGetData */
    uint64_t kills;
};

extern pthread_mutex_t producer_mutex;
extern struct module system_module, interface_module;
extern struct camera cameras[SCENE_MAX_CAMERAS];
extern int camera_count;

/* Holds the mutex to the end of the enclosing block. */
#define LOCKED pthread_mutex_t *guard __attribute__((cleanup(unlock_guard), unused)) = lock_guard()
pthread_mutex_t *lock_guard(void);
void unlock_guard(pthread_mutex_t **guard);

/* info.c: sets this thread's last error and returns the code. */
int32_t fail(int32_t code, const char *format, ...) __attribute__((format(printf, 2, 3)));
int32_t put_string(int32_t *type, void *out, size_t *size, const char *value);
int32_t put_value(int32_t *type, void *out, size_t *size, int32_t datatype, uint64_t value);
struct module *module_at(void *handle, enum module_kind kind); /* NULL and last error: not open */

/* camera.c: the device behind the wire. */
int32_t camera_power_on(struct camera *camera); /* takes the scene's lock, starts the thread */
void camera_power_off(struct camera *camera);
bool camera_lost(const struct camera *camera); /* this handle is dead, for good */
bool camera_away(const struct camera *camera); /* at this moment */
bool camera_acquiring(const struct camera *camera);
void camera_start(struct camera *camera);
void camera_stop(struct camera *camera);
void camera_count_edges(struct camera *camera);
int32_t camera_software_trigger(struct camera *camera);

/* delivery.c: frames into buffers. */
void deliver_pending(struct camera *camera);
void discard_pending(struct camera *camera, enum fate fate);
void queue_clear(struct queue *queue);
void queue_push(struct queue *queue, struct buffer *buffer, enum place place);
struct buffer *queue_pop(struct queue *queue);

/* registers.c: the remote device's register space. */
int32_t registers_read(struct camera *camera, uint64_t address, void *data, size_t size);
int32_t registers_write(struct camera *camera, uint64_t address, const void *data, size_t size);
void registers_reset(struct camera *camera);
size_t payload_size(const struct camera *camera);

/* lines.c: the digital outputs. */
bool line_level(const struct camera *camera, int64_t line);
void lines_update(struct camera *camera); /* drives the outputs as the registers say, and logs edges */

/* system.c, interface.c */
bool cameras_load(char *why, size_t why_size); /* false: there is a scene, and it cannot be used */
int32_t interface_info(int32_t command, int32_t *type, void *out, size_t *size);
void interface_close(void);

/* stream.c, event.c, device.c: closing from above. */
void stream_stop(struct camera *camera);
void stream_discard(struct camera *camera, bool input, bool output);
void stream_close(struct camera *camera);
struct buffer *buffer_at(struct camera *camera, void *handle); /* NULL and last error */
void event_close(struct camera *camera);
void device_close(struct camera *camera);
int32_t device_info(struct camera *camera, int32_t command, int32_t *type, void *out, size_t *size);

#endif
