/* The data stream (DS): announced buffers, their queues, and what is told of them. */
#include "producer.h"

#include <stdlib.h>

/* Empties queues; a frame that waited in the output was never seen by the consumer. */
void stream_discard(struct camera *camera, bool input, bool output)
{
    struct buffer *buffer;

    while (input && queue_pop(&camera->input) != NULL)
        ;
    while (output && (buffer = queue_pop(&camera->output)) != NULL)
        if (buffer->new_data)
            log_fate(&camera->scene, buffer->trigger, DISCARDED);
}

void stream_stop(struct camera *camera)
{
    camera->grabbing = false;
    discard_pending(camera, DISCARDED);
    while (camera->filling)
        pthread_cond_wait(&camera->idle, &producer_mutex);
}

static void forget(struct camera *camera, struct buffer *buffer)
{
    struct buffer **link = &camera->announced;

    while (*link != buffer)
        link = &(*link)->next_announced;
    *link = buffer->next_announced;
    if (buffer->owned)
        free(buffer->base);
    free(buffer);
}

void stream_close(struct camera *camera)
{
    stream_stop(camera);
    if (camera->event.open)
        event_close(camera);
    stream_discard(camera, true, true);
    while (camera->announced != NULL)
        forget(camera, camera->announced);
    camera->stream.open = false;
}

static struct camera *stream_at(void *handle)
{
    struct module *module = module_at(handle, STREAM);

    return module ? module->camera : NULL;
}

struct buffer *buffer_at(struct camera *camera, void *handle)
{
    for (struct buffer *b = camera->announced; b != NULL; b = b->next_announced)
        if (b == handle)
            return b;
    fail(GC_ERR_INVALID_HANDLE, "not a buffer of this stream");
    return NULL;
}

GC_API DSClose(void *stream)
{
    LOCKED;
    struct camera *camera = stream_at(stream);

    if (camera == NULL)
        return GC_ERR_INVALID_HANDLE;
    stream_close(camera);
    return GC_ERR_SUCCESS;
}

GC_API DSGetParentDev(void *stream, void **device)
{
    LOCKED;
    struct camera *camera = stream_at(stream);

    if (camera == NULL)
        return GC_ERR_INVALID_HANDLE;
    if (device == NULL)
        return fail(GC_ERR_INVALID_PARAMETER, "no room for the handle");
    *device = &camera->device;
    return GC_ERR_SUCCESS;
}

static int32_t announce(void *stream, void *base, size_t size, void *user, void **handle)
{
    struct camera *camera = stream_at(stream);
    struct buffer *buffer, **last;

    if (camera == NULL)
        return GC_ERR_INVALID_HANDLE;
    if (handle == NULL || size == 0)
        return fail(GC_ERR_INVALID_PARAMETER, "a buffer needs a size, and room for the handle");
    for (last = &camera->announced; *last != NULL; last = &(*last)->next_announced)
        if (base != NULL && (*last)->base == base)
            return fail(GC_ERR_RESOURCE_IN_USE, "this memory is announced");
    buffer = calloc(1, sizeof *buffer);
    if (buffer != NULL) {
        buffer->owned = base == NULL;
        buffer->base = base != NULL ? base : calloc(1, size);
    }
    if (buffer == NULL || buffer->base == NULL) {
        free(buffer);
        return fail(GC_ERR_OUT_OF_MEMORY, "no memory for a buffer of %zu bytes", size);
    }
    buffer->size = size;
    buffer->user = user;
    *last = buffer;
    *handle = buffer;
    return GC_ERR_SUCCESS;
}

GC_API DSAnnounceBuffer(void *stream, void *base, size_t size, void *user, void **handle)
{
    LOCKED;
    if (base == NULL)
        return fail(GC_ERR_INVALID_PARAMETER, "no memory given");
    return announce(stream, base, size, user, handle);
}

GC_API DSAllocAndAnnounceBuffer(void *stream, size_t size, void *user, void **handle)
{
    LOCKED;
    return announce(stream, NULL, size, user, handle);
}

GC_API DSRevokeBuffer(void *stream, void *handle, void **base, void **user)
{
    LOCKED;
    struct camera *camera = stream_at(stream);
    struct buffer *buffer = camera ? buffer_at(camera, handle) : NULL;

    if (buffer == NULL)
        return GC_ERR_INVALID_HANDLE;
    if (buffer->place != UNQUEUED)
        return fail(GC_ERR_BUSY, "the buffer is queued");
    /* What transports do that lost their device before DSStopAcquisition was called. */
    if (camera->grabbing && camera_lost(camera))
        return fail(GC_ERR_BUSY, "buffer count must not change while acquisition is active");
    if (base != NULL)
        *base = buffer->owned ? NULL : buffer->base;
    if (user != NULL)
        *user = buffer->user;
    forget(camera, buffer);
    return GC_ERR_SUCCESS;
}

GC_API DSQueueBuffer(void *stream, void *handle)
{
    LOCKED;
    struct camera *camera = stream_at(stream);
    struct buffer *buffer = camera ? buffer_at(camera, handle) : NULL;

    if (buffer == NULL)
        return GC_ERR_INVALID_HANDLE;
    if (buffer->place != UNQUEUED)
        return fail(GC_ERR_BUSY, "the buffer is queued");
    queue_push(&camera->input, buffer, INPUT);
    pthread_cond_signal(&camera->wake);
    return GC_ERR_SUCCESS;
}

static void to_input(struct camera *camera)
{
    for (struct buffer *b = camera->announced; b != NULL; b = b->next_announced)
        if (b->place == UNQUEUED)
            queue_push(&camera->input, b, INPUT);
    pthread_cond_signal(&camera->wake);
}

static void to_output(struct camera *camera)
{
    struct buffer *buffer;

    while ((buffer = queue_pop(&camera->input)) != NULL) {
        buffer->new_data = false;
        buffer->filled = 0;
        queue_push(&camera->output, buffer, OUTPUT);
    }
    pthread_cond_broadcast(&camera->arrived);
}

GC_API DSFlushQueue(void *stream, int32_t operation)
{
    LOCKED;
    struct camera *camera = stream_at(stream);

    if (camera == NULL)
        return GC_ERR_INVALID_HANDLE;
    switch (operation) {
    case ACQ_QUEUE_INPUT_TO_OUTPUT: to_output(camera); break;
    case ACQ_QUEUE_OUTPUT_DISCARD: stream_discard(camera, false, true); break;
    case ACQ_QUEUE_ALL_TO_INPUT: stream_discard(camera, false, true); to_input(camera); break;
    case ACQ_QUEUE_UNQUEUED_TO_INPUT: to_input(camera); break;
    case ACQ_QUEUE_ALL_DISCARD: stream_discard(camera, true, true); break;
    default: return fail(GC_ERR_INVALID_PARAMETER, "queue operation %d", operation);
    }
    return GC_ERR_SUCCESS;
}

GC_API DSStartAcquisition(void *stream, int32_t flags, uint64_t count)
{
    LOCKED;
    struct camera *camera = stream_at(stream);

    (void)flags;
    if (camera == NULL)
        return GC_ERR_INVALID_HANDLE;
    if (count == 0)
        return fail(GC_ERR_INVALID_PARAMETER, "no buffers to acquire");
    if (camera->grabbing)
        return fail(GC_ERR_RESOURCE_IN_USE, "the stream is grabbing");
    camera->grabbing = true;
    camera->buffers_left = count;
    camera->num_started = camera->num_delivered = camera->num_underrun = 0;
    pthread_cond_signal(&camera->wake);
    return GC_ERR_SUCCESS;
}

GC_API DSStopAcquisition(void *stream, int32_t flags)
{
    LOCKED;
    struct camera *camera = stream_at(stream);

    (void)flags;
    if (camera == NULL)
        return GC_ERR_INVALID_HANDLE;
    if (!camera->grabbing)
        return fail(GC_ERR_RESOURCE_IN_USE, "the stream is not grabbing");
    stream_stop(camera);
    return GC_ERR_SUCCESS;
}

GC_API DSGetBufferID(void *stream, uint32_t index, void **handle)
{
    LOCKED;
    struct camera *camera = stream_at(stream);
    struct buffer *buffer;

    if (camera == NULL)
        return GC_ERR_INVALID_HANDLE;
    for (buffer = camera->announced; buffer != NULL && index > 0; index--)
        buffer = buffer->next_announced;
    if (buffer == NULL || handle == NULL)
        return fail(GC_ERR_INVALID_INDEX, "no such buffer");
    *handle = buffer;
    return GC_ERR_SUCCESS;
}
