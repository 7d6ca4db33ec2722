/* Frames into buffers: what transport does to them, faults included. */
#include "producer.h"

#include <string.h>

void queue_clear(struct queue *queue)
{
    queue->head = NULL;
    queue->tail = &queue->head;
    queue->count = 0;
}

void queue_push(struct queue *queue, struct buffer *buffer, enum place place)
{
    buffer->next = NULL;
    buffer->place = place;
    *queue->tail = buffer;
    queue->tail = &buffer->next;
    queue->count++;
}

struct buffer *queue_pop(struct queue *queue)
{
    struct buffer *buffer = queue->head;

    if (buffer == NULL)
        return NULL;
    queue->head = buffer->next;
    if (queue->head == NULL)
        queue->tail = &queue->head;
    queue->count--;
    buffer->place = UNQUEUED;
    return buffer;
}

/* The oldest trigger that waits for delivery, or NULL. Those that got no frame lie between. */
static struct trigger_record *oldest(struct camera *camera)
{
    uint64_t newest = atomic_load(&camera->scene.state->triggers);

    for (; camera->pending && camera->next_pending <= newest; camera->next_pending++) {
        struct trigger_record *record = log_at(&camera->scene, camera->next_pending);
        if (record->trigger == camera->next_pending && atomic_load(&record->fate) == PENDING)
            return record;
    }
    camera->pending = 0;
    return NULL;
}

static void taken(struct camera *camera)
{
    camera->next_pending++;
    camera->pending--;
}

void discard_pending(struct camera *camera, enum fate fate)
{
    struct trigger_record *record;

    while ((record = oldest(camera)) != NULL) {
        log_fate(&camera->scene, record->trigger, fate);
        taken(camera);
    }
}

/* Fills in what the consumer will be told, and the number of bytes to copy. */
static size_t describe(struct camera *camera, struct buffer *b, const struct trigger_record *record)
{
    const struct registers *r = &camera->registers;
    struct camera_scene *scene = &camera->scene;
    size_t row = (size_t)r->width * scene->config.bytes_per_pixel, bytes;

    b->trigger = record->trigger;
    b->frame_id = record->frame_id;
    b->timestamp_ns = device_clock(scene, record->timestamp_ns);
    b->width = (size_t)r->width;
    b->height = (size_t)r->height;
    b->x = (size_t)r->x;
    b->y = (size_t)r->y;
    b->new_data = true;
    b->incomplete = false;
    b->fate = DELIVERED;
    bytes = row * b->height;
    b->larger = bytes > b->size;
    if (b->larger || fault_taken(scene, FAULT_INCOMPLETE)) {
        b->incomplete = true;
        b->fate = INCOMPLETE;
        bytes = b->larger ? b->size : bytes / 2;
    } else if (fault_taken(scene, FAULT_SHORT)) {
        b->fate = SHORT;
        bytes /= 2;
    } else if (fault_taken(scene, FAULT_RESIZE)) {
        b->fate = RESIZED;
        b->height = b->height > 1 ? b->height / 2 : 1;
        bytes = row * b->height;
    }
    b->filled = bytes;
    return bytes;
}

/* Copies the region of interest; the mutex is not held, the settings cannot change meanwhile. */
static void copy(const struct camera *camera, struct buffer *b, int32_t image, size_t bytes)
{
    const struct camera_scene *scene = &camera->scene;
    size_t pixel = scene->config.bytes_per_pixel, row = b->width * pixel;
    size_t stride = scene->config.width * pixel;
    const uint8_t *from = scene->images + scene->image_bytes * (size_t)image;

    from += b->y * stride + b->x * pixel;
    for (size_t done = 0; done < bytes; done += row, from += stride)
        memcpy(b->base + done, from, row < bytes - done ? row : bytes - done);
}

static void deliver(struct camera *camera, struct trigger_record *record)
{
    struct camera_scene *scene = &camera->scene;
    struct buffer *buffer;
    /* not record->image: the file is shared, and this indexes memory */
    int32_t image = (int32_t)((record->trigger - 1) % scene->config.images);
    size_t bytes;

    taken(camera);
    camera->num_started++;
    if (fault_taken(scene, FAULT_DROP)) {
        log_fate(scene, record->trigger, DROPPED);
        return;
    }
    if (!camera->grabbing || (buffer = queue_pop(&camera->input)) == NULL) {
        camera->num_underrun++;
        log_fate(scene, record->trigger, UNDERRUN);
        return;
    }
    bytes = describe(camera, buffer, record);
    buffer->place = FILLING;
    camera->filling = true;
    pthread_mutex_unlock(&producer_mutex);
    copy(camera, buffer, image, bytes);
    pthread_mutex_lock(&producer_mutex);
    camera->filling = false;
    queue_push(&camera->output, buffer, OUTPUT);
    if (--camera->buffers_left == 0)
        camera->grabbing = false;
    pthread_cond_broadcast(&camera->arrived);
    pthread_cond_broadcast(&camera->idle);
}

void deliver_pending(struct camera *camera)
{
    struct trigger_record *record;

    while ((record = oldest(camera)) != NULL) {
        uint64_t now = now_ns();
        if (now < record->due_ns || now < atomic_load(&camera->scene.control->stalled_until_ns))
            return;
        deliver(camera, record);
    }
}
