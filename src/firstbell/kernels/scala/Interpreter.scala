/** Passes cells of pipe_kernel.py to Scala's own REPL. What the REPL says of a cell (values, definitions) is its result,
  * or with an error its message; what the program prints goes to its output as it is. */

package dotty.tools.repl:
  /** The REPL with what it keeps to itself: a flag that every loop compiled by it looks at, for interrupts. Its class path
    * is given, or folders of the person's would be packages: one called `sys` hides Scala's.
    */
  class Interpreter(said: java.io.OutputStream)
      extends ReplDriver(
        Array("-classpath", sys.props("java.class.path"), "-color:never"),
        java.io.PrintStream(said, true, "UTF-8"),
        Some(classOf[State].getClassLoader)
      ):
    @volatile var state: State = initialState
    override def redirectOutput: Boolean = false
    def stop(yes: Boolean): Unit =
      ReplBytecodeInstrumentation.setStopFlag(rendering.classLoader()(using state.context), yes)

import java.io.{BufferedReader, ByteArrayOutputStream, FileInputStream, FileOutputStream, InputStreamReader, PrintStream}
import java.nio.charset.StandardCharsets.UTF_8
import java.util.Base64

import dotty.tools.repl.{Interpreter, State}

private val answers = PrintStream(FileOutputStream(sys.env("PIPE_KERNEL_OUT"), true), true, UTF_8)

private def json(text: String): String =
  text.map {
    case '"'            => "\\\""
    case '\\'           => "\\\\"
    case c if c < ' '   => f"\\u${c.toInt}%04x"
    case c              => c.toString
  }.mkString("\"", "", "\"")

private def answer(message: String): Unit = answers.synchronized(answers.println(message))

/** What a notebook can show beside text; in every cell by this name. */
object jupyter:
  def show(mime: String, data: String): Unit =
    System.out.flush()
    answer(s"""{"data": {${json(mime)}: ${json(data)}}}""")
  def html(text: String): Unit = show("text/html", text)
  def markdown(text: String): Unit = show("text/markdown", text)
  def svg(text: String): Unit = show("image/svg+xml", text)
  def png(bytes: Array[Byte]): Unit = show("image/png", Base64.getEncoder.encodeToString(bytes))
  def image(picture: java.awt.image.RenderedImage): Unit =
    val bytes = ByteArrayOutputStream()
    javax.imageio.ImageIO.write(picture, "png", bytes)
    png(bytes.toByteArray)

/** Compilation said so, or the cell's object could not be initialised. */
private def failed(text: String, before: State, after: State): Boolean =
  after.invalidObjectIndexes.size > before.invalidObjectIndexes.size
    || """(?m)^-- (\[E\d+\] )?[\w ]*Error: """.r.findFirstIn(text).isDefined

@main def serve(): Unit =
  val said = ByteArrayOutputStream()
  val repl = Interpreter(said)
  @volatile var worker: Option[Thread] = None
  sun.misc.Signal.handle(sun.misc.Signal("INT"), _ => worker.foreach { thread => repl.stop(true); thread.interrupt() })
  val requests = BufferedReader(InputStreamReader(FileInputStream(sys.env("PIPE_KERNEL_IN")), UTF_8))
  for line <- Iterator.continually(requests.readLine).takeWhile(_ != null) do
    // Python writes {"code": "…"} with the escapes that Scala has too.
    val code = StringContext.processEscapes(line.stripPrefix("""{"code": """").stripSuffix("\"}"))
    val before = repl.state
    said.reset()
    repl.stop(false)
    val thread = Thread(() => repl.state = repl.run(code)(using before), "cell")
    worker = Some(thread)
    thread.start()
    thread.join()
    worker = None
    System.out.flush()
    System.err.flush()
    val text = said.toString(UTF_8).stripTrailing
    if failed(text, before, repl.state) then answer(s"""{"error": ["Error", ${json(text)}]}""")
    else if text.nonEmpty then answer(s"""{"data": {"text/plain": ${json(text)}}}""")
    answer("""{"done": true}""")
