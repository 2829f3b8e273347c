/* http_multi.c -- walk 5: libcurl's multi handles on a uv loop. See http_multi.h. */
#include "http_multi.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* A file descriptor that libcurl watches. */
struct sock {
    uv_poll_t poll;
    struct rl_multi *multi;
    struct rl_shard *shard; /* whose multi handle asked last */
    curl_socket_t fd;
    int armed;       /* uv events that poll is started for; 0: stopped */
    bool wanted;     /* does libcurl wait for it? else it rests */
    bool connection; /* opened by on_open_socket, so that on_close_socket ends it, if it was proven
                      */
    bool proven;     /* has a whole response come over it? */
    bool single;     /* one response at a time: HTTP/1 */
    ino_t inode;     /* of the connection, to recognise it */
};

struct rl_shard {
    uv_timer_t timer; /* libcurl's timeout; while nothing runs, the end of the shard's rest */
    struct rl_multi *multi;
    CURLM *handle;
    size_t transfers;
    struct rl_shard *next;
};

struct rl_multi {
    uv_loop_t *loop;
    CURLSH *share; /* names and TLS sessions, for all shards */
    rl_multi_on_end *on_end;
    struct rl_shard *shards;
    struct sock **socks; /* by file descriptor */
    size_t sock_slots;
    size_t unproven; /* connections */
    size_t paused;   /* transfers */
    size_t handles;  /* uv handles that are not closed yet */
    bool closed;
};


/* ------------------------------------------------------------------ memory */

/* The last handle takes the memory along. */
static void release(struct rl_multi *multi)
{
    if (--multi->handles > 0 || !multi->closed)
        return;
    free(multi->socks);
    free(multi);
}


static void on_sock_closed(uv_handle_t *handle)
{
    struct sock *sock = handle->data;
    release(sock->multi);
    free(sock);
}


static void on_shard_closed(uv_handle_t *handle)
{
    struct rl_shard *shard = handle->data;
    release(shard->multi);
    free(shard);
}


/* ------------------------------------------------------------------ sockets */

static struct sock *find_sock(const struct rl_multi *multi, curl_socket_t fd)
{
    return (size_t)fd < multi->sock_slots ? multi->socks[fd] : NULL;
}


static bool reserve_slot(struct rl_multi *multi, curl_socket_t fd)
{
    if ((size_t)fd < multi->sock_slots)
        return true;
    size_t slots = (size_t)fd + 1 + multi->sock_slots / 2;
    struct sock **socks = realloc(multi->socks, slots * sizeof(*socks));
    if (socks == NULL)
        return false;
    for (size_t i = multi->sock_slots; i < slots; i++)
        socks[i] = NULL;
    multi->socks = socks;
    multi->sock_slots = slots;
    return true;
}


static ino_t inode_of(curl_socket_t fd)
{
    struct stat info;
    return fstat(fd, &info) == 0 ? info.st_ino : 0;
}


static struct sock *add_sock(struct rl_multi *multi, curl_socket_t fd, bool connection)
{
    if (!reserve_slot(multi, fd))
        return NULL;
    struct sock *sock = calloc(1, sizeof(*sock));
    if (sock == NULL)
        return NULL;
    if (uv_poll_init_socket(multi->loop, &sock->poll, fd) < 0) {
        free(sock);
        return NULL;
    }
    uv_unref((uv_handle_t *)&sock->poll);
    sock->poll.data = sock;
    sock->multi = multi;
    sock->fd = fd;
    sock->connection = connection;
    sock->inode = inode_of(fd);
    multi->socks[fd] = sock;
    multi->unproven += connection;
    multi->handles++;
    return sock;
}


static void drop_sock(struct sock *sock)
{
    sock->multi->socks[sock->fd] = NULL;
    sock->multi->unproven -= sock->connection && !sock->proven;
    uv_close((uv_handle_t *)&sock->poll, on_sock_closed);
}


static void drain(struct rl_shard *shard)
{
    int left;
    CURLMsg *message;
    while ((message = curl_multi_info_read(shard->handle, &left)) != NULL)
        if (message->msg == CURLMSG_DONE)
            shard->multi->on_end(message->easy_handle, message->data.result);
}


static void act(struct rl_shard *shard, curl_socket_t fd, int flags)
{
    int running;
    curl_multi_socket_action(shard->handle, fd, flags, &running);
    drain(shard);
}


static bool arm(struct sock *sock, int events);


/* What comes between two responses would be taken for the next one. It is thrown away, and the
 * connection with it: libcurl finds it closed when it wants to use it again. */
static void hang_up(const struct sock *sock)
{
    char bytes[4096];
    ssize_t len = 1;
    for (int i = 0; i < 256 && len > 0; i++) {
        len = recv(sock->fd, bytes, sizeof(bytes), 0);
        if (i == 0 && len > 0)
            shutdown(sock->fd, SHUT_RDWR);
    }
}


/* The server closed a connection at rest, or speaks unasked. A paused transfer looks like rest,
 * too. */
static void on_rest_disturbed(struct sock *sock)
{
    uv_poll_stop(&sock->poll);
    sock->armed = 0;
    if (sock->single && sock->multi->paused == 0)
        hang_up(sock);
}


static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct sock *sock = poll->data;
    int armed = sock->armed;
    if (status < 0)
        sock->armed = 0; /* libuv has stopped it */
    if (!sock->wanted) {
        on_rest_disturbed(sock);
        return;
    }
    int flags = status < 0 ? CURL_CSELECT_ERR | CURL_CSELECT_IN : 0; /* reading tells the reason */
    if (events & UV_READABLE)
        flags |= CURL_CSELECT_IN;
    if (events & UV_WRITABLE)
        flags |= CURL_CSELECT_OUT;
    act(sock->shard, sock->fd, flags);
    if (sock->armed == 0 && sock->wanted && !uv_is_closing((uv_handle_t *)poll))
        arm(sock, armed); /* libcurl lives on with it: so do we */
}


static bool arm(struct sock *sock, int events)
{
    if (sock->armed != events && uv_poll_start(&sock->poll, events, on_poll) < 0)
        return false;
    sock->armed = events;
    return true;
}


/* libcurl 7.88 closes a socket that never got to be a connection without a word to on_close_socket;
 * that it does not wait for it any more is all we hear. */
static bool is_gone(const struct sock *sock)
{
    return !sock->connection || (!sock->proven && inode_of(sock->fd) != sock->inode);
}


/* libcurl does not wait for this one any more; a connection stays armed for the next transfer. */
static void rest(struct sock *sock)
{
    sock->wanted = false;
    uv_unref((uv_handle_t *)&sock->poll);
    if (is_gone(sock))
        drop_sock(sock);
    else if (sock->armed & UV_WRITABLE)
        arm(sock, UV_READABLE);
}


static bool watch(struct sock *sock, struct rl_shard *shard, int events)
{
    sock->shard = shard;
    sock->wanted = true;
    uv_ref((uv_handle_t *)&sock->poll);
    return arm(sock, events);
}


/* CURLMOPT_SOCKETFUNCTION */
static int on_socket(CURL *easy, curl_socket_t fd, int what, void *owner, void *unused)
{
    (void)easy;
    (void)unused;
    struct rl_shard *shard = owner;
    struct sock *sock = find_sock(shard->multi, fd);
    if (what == CURL_POLL_REMOVE || what == CURL_POLL_NONE) {
        if (sock != NULL)
            rest(sock);
        return 0;
    }
    if (sock == NULL && (sock = add_sock(shard->multi, fd, false)) == NULL)
        return -1;
    int events = (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
    return watch(sock, shard, events) ? 0 : -1;
}


/* The descriptor of a socket that libcurl closed without a word, used again: libcurl takes it for
 * the old one and may say nothing about it, so the new one waits for what the old one waited for.
 */
static struct sock *add_in_place_of(struct sock *old)
{
    struct rl_shard *shard = old->shard;
    int events = old->wanted ? old->armed : 0;
    drop_sock(old);
    struct sock *sock = add_sock(old->multi, old->fd, true);
    if (sock != NULL && events != 0)
        watch(sock, shard, events);
    return sock;
}


/* CURLOPT_OPENSOCKETFUNCTION: as libcurl does it, but closed in child processes. */
static curl_socket_t on_open_socket(void *owner, curlsocktype purpose,
                                    struct curl_sockaddr *address)
{
    (void)purpose;
    int type = address->socktype | SOCK_CLOEXEC | SOCK_NONBLOCK;
    int fd = socket(address->family, type, address->protocol);
    if (fd < 0)
        return CURL_SOCKET_BAD;
    struct sock *old = find_sock(owner, fd);
    struct sock *sock = old != NULL ? add_in_place_of(old) : add_sock(owner, fd, true);
    if (sock == NULL) {
        close(fd);
        errno = ENOMEM;
        return CURL_SOCKET_BAD;
    }
    return fd;
}


/* CURLOPT_CLOSESOCKETFUNCTION */
static int on_close_socket(void *owner, curl_socket_t fd)
{
    struct sock *sock = find_sock(owner, fd);
    if (sock != NULL)
        drop_sock(sock);
    return close(fd);
}


/* ------------------------------------------------------------------ timers */

static void on_timeout(uv_timer_t *timer)
{
    act(timer->data, CURL_SOCKET_TIMEOUT, 0);
}


/* CURLMOPT_TIMERFUNCTION; 0 is 0: libuv fires such a timer in the next turn of the loop. */
static int on_timer_wish(CURLM *handle, long timeout_ms, void *owner)
{
    (void)handle;
    struct rl_shard *shard = owner;
    if (timeout_ms < 0)
        uv_timer_stop(&shard->timer);
    else
        uv_timer_start(&shard->timer, on_timeout, (uint64_t)timeout_ms, 0);
    return 0;
}


/* ------------------------------------------------------------------ shards */

static void close_shard(struct rl_shard *shard)
{
    curl_multi_cleanup(shard->handle); /* ends the sockets, through on_close_socket */
    uv_close((uv_handle_t *)&shard->timer, on_shard_closed);
}


static void on_rest_over(uv_timer_t *timer)
{
    struct rl_shard *shard = timer->data;
    struct rl_shard **link = &shard->multi->shards;
    while (*link != shard)
        link = &(*link)->next;
    *link = shard->next;
    close_shard(shard);
}


static struct rl_shard *open_shard(struct rl_multi *multi)
{
    struct rl_shard *shard = calloc(1, sizeof(*shard));
    if (shard == NULL)
        return NULL;
    shard->handle = curl_multi_init();
    if (shard->handle == NULL) {
        free(shard);
        return NULL;
    }
    shard->multi = multi;
    uv_timer_init(multi->loop, &shard->timer);
    shard->timer.data = shard;
    multi->handles++;
    curl_multi_setopt(shard->handle, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(shard->handle, CURLMOPT_SOCKETDATA, shard);
    curl_multi_setopt(shard->handle, CURLMOPT_TIMERFUNCTION, on_timer_wish);
    curl_multi_setopt(shard->handle, CURLMOPT_TIMERDATA, shard);
    curl_multi_setopt(shard->handle, CURLMOPT_MAXCONNECTS, (long)RL_MULTI_TRANSFERS);
    return shard;
}


/* The first shard with room, so that few transfers share few connections. */
static struct rl_shard *shard_with_room(struct rl_multi *multi)
{
    struct rl_shard **link = &multi->shards;
    while (*link != NULL && (*link)->transfers >= RL_MULTI_TRANSFERS)
        link = &(*link)->next;
    if (*link == NULL)
        *link = open_shard(multi);
    return *link;
}


/* ------------------------------------------------------------------ interface */

static void init_libcurl(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
}


struct rl_multi *rl_multi_open(uv_loop_t *loop, rl_multi_on_end *on_end, struct rl_err *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT; /* TLS start-up is milliseconds: on first use */
    pthread_once(&once, init_libcurl);
    struct rl_multi *multi = calloc(1, sizeof(*multi));
    CURLSH *share = curl_share_init();
    if (multi == NULL || share == NULL) {
        free(multi);
        curl_share_cleanup(share);
        rl_err_set(err, RL_ENOMEM, "not enough memory for HTTP");
        return NULL;
    }
    curl_share_setopt(share, CURLSHOPT_SHARE, CURL_LOCK_DATA_DNS);
    curl_share_setopt(share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
    multi->loop = loop;
    multi->on_end = on_end;
    multi->share = share;
    return multi;
}


void rl_multi_close(struct rl_multi *multi)
{
    multi->closed = true;
    multi->handles++; /* until here nothing is freed */
    while (multi->shards != NULL) {
        struct rl_shard *shard = multi->shards;
        multi->shards = shard->next;
        close_shard(shard);
    }
    curl_share_cleanup(multi->share);
    release(multi);
}


void rl_multi_adopt(struct rl_multi *multi, CURL *easy)
{
    curl_easy_setopt(easy, CURLOPT_SHARE, multi->share);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, multi);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, on_close_socket);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, multi);
}


struct rl_shard *rl_multi_add(struct rl_multi *multi, CURL *easy, struct rl_err *err)
{
    struct rl_shard *shard = shard_with_room(multi);
    if (shard == NULL) {
        rl_err_set(err, RL_ENOMEM, "not enough memory for another connection");
        return NULL;
    }
    uv_update_time(multi->loop); /* Lua may have run for long since the loop looked at the clock */
    if (shard->transfers++ == 0) {
        uv_timer_stop(&shard->timer);
        uv_ref((uv_handle_t *)&shard->timer);
    }
    CURLMcode rc = curl_multi_add_handle(shard->handle, easy);
    if (rc != CURLM_OK) {
        rl_err_set(err, RL_EINTERNAL, "the transfer could not be started: %s",
                   curl_multi_strerror(rc));
        rl_multi_remove(shard, easy);
        return NULL;
    }
    return shard;
}


void rl_multi_remove(struct rl_shard *shard, CURL *easy)
{
    curl_multi_remove_handle(shard->handle, easy);
    if (--shard->transfers > 0)
        return;
    uv_unref((uv_handle_t *)&shard->timer);
    uv_timer_start(&shard->timer, on_rest_over, RL_MULTI_REST_MS, 0);
}


void rl_multi_trust(struct rl_multi *multi, CURL *easy)
{
    curl_socket_t fd = CURL_SOCKET_BAD;
    long version = 0;
    if (multi->unproven == 0 || curl_easy_getinfo(easy, CURLINFO_ACTIVESOCKET, &fd) != CURLE_OK ||
        fd == CURL_SOCKET_BAD)
        return;
    struct sock *sock = find_sock(multi, fd);
    if (sock == NULL || sock->proven)
        return;
    curl_easy_getinfo(easy, CURLINFO_HTTP_VERSION, &version);
    sock->single = version == CURL_HTTP_VERSION_1_0 || version == CURL_HTTP_VERSION_1_1;
    sock->proven = true;
    multi->unproven--;
}


void rl_multi_count_paused(struct rl_multi *multi, int change)
{
    multi->paused += (size_t)change;
}


CURLcode rl_multi_resume(struct rl_shard *shard, CURL *easy)
{
    (void)shard;
    return curl_easy_pause(easy, CURLPAUSE_CONT);
}
